import fc from 'fast-check';
import t from 'tap';
import { OPTION_NAMES } from '../../src/options/table.js';
import { didYouMean, nearName, quote } from '../../src/options/words.js';

t.test('the near name is the one that a user would have meant', async (t) => {
  const cases: [string, string | undefined][] = [
    ['tiemout', 'timeout'],
    ['multirmtkey', 'multiRmtKey'],
    ['multi-rmt-key', 'multiRmtKey'],
    ['uri_file', 'uri-file'],
    ['stdout-limit', 'stdoutlimit'],
    ['stdout', 'stdoutlimit'],
    ['sit', 'sint'],
    ['outbox', undefined],
    ['jsn', 'json'],
    ['x', undefined],
    ['', undefined],
    ['memroy', 'memory'],
    ['rascal', 'rascal-config'],
  ];
  for (const [word, name] of cases) t.equal(nearName(word, OPTION_NAMES), name, word);
  t.equal(didYouMean('jsn', OPTION_NAMES), '; did you mean "json"?');
  t.equal(
    didYouMean('jsn', OPTION_NAMES, (name) => `--${name}`),
    '; did you mean --json?',
  );
  t.equal(didYouMean('gpu', OPTION_NAMES), '');
});

t.test('a value in a message is one short line', async (t) => {
  t.equal(quote('a\nb"'), '"a\\nb\\""');
  t.equal(quote('x'.repeat(100)), `"${'x'.repeat(60)}…"`);
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 500 }), (text) => !quote(text).includes('\n')));
});

t.test('an option is always near to itself', async (t) => {
  fc.assert(fc.property(fc.constantFrom(...OPTION_NAMES), (name) => nearName(name, OPTION_NAMES) === name));
  t.pass();
});
