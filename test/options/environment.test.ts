import t from 'tap';
import { readSettings } from '../../src/options/environment.js';
import { variableName } from '../../src/options/table.js';

t.test('variables are options in capitals', async (t) => {
  t.equal(variableName('multiRmtKey'), 'PBOX_MULTIRMTKEY');
  const { given, warnings } = readSettings([
    'PBOX_SINT=5s',
    'PBOX_MULTIRMTKEY=1',
    'PBOX_OUTBOX_BYTES=1M',
    'PBOX_JSON={"a":"="}',
  ]);
  t.strictSame(warnings, []);
  t.strictSame(given, [
    { name: 'sint', text: '5s', origin: 'PBOX_SINT', source: 'environment' },
    { name: 'multiRmtKey', text: '1', origin: 'PBOX_MULTIRMTKEY', source: 'environment' },
    { name: 'outbox-bytes', text: '1M', origin: 'PBOX_OUTBOX_BYTES', source: 'environment' },
    { name: 'json', text: '{"a":"="}', origin: 'PBOX_JSON', source: 'environment' },
  ]);
});

t.test('an empty variable counts as not set, and of two the first counts', async (t) => {
  const { given } = readSettings(['PBOX_SINT=', 'PBOX_ROWS=1', 'PBOX_ROWS=2', 'PBOX_SINT=5s']);
  t.strictSame(
    given.map(({ text }) => text),
    ['1'],
  );
});

t.test('an unknown variable is a warning that does not show its value', async (t) => {
  const { given, warnings } = readSettings(['PBOX_TIEMOUT=secret', 'PBOX_HELP=1', 'PBOX_ZZZZZZZZZZ=1', 'junk']);
  t.strictSame(given, []);
  t.strictSame(warnings, [
    'the variable "PBOX_TIEMOUT" has no effect: no option is read from it; did you mean "PBOX_TIMEOUT"?',
    'the variable "PBOX_HELP" has no effect: no option is read from it',
    'the variable "PBOX_ZZZZZZZZZZ" has no effect: no option is read from it',
  ]);
});
