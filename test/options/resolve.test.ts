import t from 'tap';
import { SpecError } from '../../src/errors.js';
import { type Given, naming, resolveOptions } from '../../src/options/resolve.js';
import type { Source } from '../../src/options/spec.js';
import type { OptionName } from '../../src/options/table.js';

const given = (name: OptionName, text: string, source: Source, origin = `${source} ${name}`): Given => ({
  name,
  text,
  origin,
  source,
});

t.test('the strongest source counts, and every text is parsed', async (t) => {
  const options = resolveOptions([
    given('rows', '1', 'config file'),
    given('rows', '2', 'environment'),
    given('rows', '3', 'command line'),
  ]);
  t.match(options.rows, { value: 3, source: 'command line', origin: 'command line rows' });
  t.throws(() => resolveOptions([given('rows', 'x', 'config file'), given('rows', '3', 'command line')]), {
    name: 'SpecError',
    message: /^config file rows: "x" is not/,
  });
});

t.test('of an option that may be given several times every text counts', async (t) => {
  const options = resolveOptions([
    given('rlimit', 'nofile=1', 'config file'),
    given('rlimit', 'core=0', 'command line'),
  ]);
  t.match(options.rlimit, { value: [{ name: 'nofile' }, { name: 'core' }], source: 'command line' });
  t.strictSame(resolveOptions([]).rlimit.value, []);
});

t.test('a default is parsed when it is asked for', async (t) => {
  const options = resolveOptions([]);
  t.match(options.rows, { source: 'default', origin: '--rows' });
  t.type(options.rows.value, 'number');
  t.equal(options['uri-file'].value, undefined, 'an option without one has no value');
  t.equal(options.debug.value, false);
});

t.test("an error of the user's names where the text came from; another one stays", async (t) => {
  const cause = new SpecError('no');
  const fail = (error: Error) => () =>
    naming('PBOX_X', () => {
      throw error;
    });
  t.throws(fail(cause), { name: 'SpecError', message: 'PBOX_X: no', cause });
  const bug = new TypeError('bug');
  t.throws(fail(bug), bug);
  t.equal(
    naming('PBOX_X', () => 7),
    7,
  );
});
