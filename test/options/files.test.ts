import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { SpecError } from '../../src/errors.js';
import { readNamed, systemFiles } from '../../src/options/files.js';

t.test("~/ is the user's home, also where no shell has said so", async (t) => {
  const home = process.env['HOME'];
  t.teardown(() => {
    if (home === undefined) delete process.env['HOME'];
    else process.env['HOME'] = home;
  });
  process.env['HOME'] = t.testdir({ uri: 'amqp://broker' });
  t.match(systemFiles().read('~/uri'), { text: 'amqp://broker' });
  t.equal(systemFiles().read('~/none'), 'ENOENT');
});

t.test('a file comes with its mode and owner', async (t) => {
  const directory = t.testdir({ a: '\uFEFFsint: 10s\n', empty: '', large: 'x'.repeat(1024 * 1024 + 1) });
  const files = systemFiles();
  chmodSync(join(directory, 'a'), 0o640);
  t.strictSame(files.read(join(directory, 'a')), { text: 'sint: 10s\n', mode: 0o640, uid: process.geteuid?.() });
  t.match(files.read(join(directory, 'empty')), { text: '' });
  t.equal(files.read(join(directory, 'none')), 'ENOENT');
  const large = join(directory, 'large');
  t.throws(
    () => readNamed(files, large, '--config'),
    new SpecError(`--config: ${large} is over 1 MiB: expected a configuration file`),
  );
  t.throws(
    () => readNamed(files, directory, '--config'),
    new SpecError(`--config: read ${directory}: EISDIR; give the path of a file that this user may read`),
  );
});
