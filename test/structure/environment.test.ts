import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

t.test('what src/ reads of the environment is what the front end lets Node have', async (t) => {
  const native = readFileSync(join(root, 'native/src/front/node.cc'), 'utf8');
  const list = (name: string) => {
    const text = new RegExp(`${name}\\[\\] = \\{([^}]*)\\}`).exec(native)?.[1] ?? '';
    return [...text.matchAll(/"([^"]+)"/g)].map(([, word]) => word!);
  };
  const [names, prefixes] = [list('kNames'), list('kPrefixes')];
  const read = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !/qsub/.test(file)) // a program of its own, in the user's environment
    .flatMap((file) => {
      const text = readFileSync(join(root, 'src', file), 'utf8');
      const named = [...text.matchAll(/\b(?:env|environment)\[?\.?'?\[?'([A-Z_]+)'/g)].map(([, name]) => name!);
      const taken = [...text.matchAll(/\{ ([^{}]*) \} = process\.env;/g)].flatMap(([, one]) =>
        one!.split(',').map((part) => part.trim().split(':')[0]!),
      );
      const marks = [...text.matchAll(/\b(?:mark|id): '([A-Z_]+)'/g)].map(([, name]) => name!);
      return [...named, ...taken, ...marks];
    });
  t.ok(read.includes('SLURM_CONF') && read.includes('HOME') && read.includes('PATH'));
  for (const name of read)
    t.ok(names.includes(name) || prefixes.some((prefix) => name.startsWith(prefix)), `${name} reaches Node`);
  for (const name of ['LD_PRELOAD', 'OPENSSL_CONF', 'NODE_OPTIONS', 'GLIBC_TUNABLES', 'MALLOC_ARENA_MAX', 'PBOX_URI'])
    t.notOk(names.includes(name) || prefixes.some((prefix) => name.startsWith(prefix)), `${name} does not`);
});
