import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { isBrokerError, isEnvironmentError, isSpecError, SpecError } from '../../src/errors.js';

const src = fileURLToPath(new URL('../../src/', import.meta.url));

t.test('errors of ours are told apart by name, since each bundle has classes of its own', async (t) => {
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  t.ok(files.length > 100, `${files.length} files`);
  const byClass = /instanceof (?:Spec|Environment|Broker)Error\b/;
  t.strictSame(
    files.filter((file) => byClass.test(readFileSync(join(src, file), 'utf8'))),
    [],
  );
});

t.test('an error of another bundle is known as well', async (t) => {
  const other = Object.assign(new Error('elsewhere'), { name: 'SpecError' });
  t.ok(isSpecError(other) && isSpecError(new SpecError('here')));
  t.notOk(
    isEnvironmentError(other) ||
      isBrokerError(other) ||
      isSpecError(new Error('another')) ||
      isSpecError({ name: 'SpecError' }),
  );
});
