import { readdirSync, readFileSync } from 'node:fs';
import * as native from 'cgroup-utils-native';
import t from 'tap';

t.test('every function and class that is declared can be imported by its name', async (t) => {
  const folder = new URL('../../native/types/', import.meta.url);
  const declared = readdirSync(folder)
    .map((file) => readFileSync(new URL(file, folder), 'utf8'))
    .join('\n');
  const names = [...declared.matchAll(/^export (?:function|class|const) (\w+)/gm)].map(([, name]) => name!);
  t.ok(names.length > 30);
  const exported = Object.entries(native).filter(([, value]) => value !== undefined);
  t.strictSame(
    names.filter((name) => !exported.some(([found]) => found === name)),
    [],
  );
});
