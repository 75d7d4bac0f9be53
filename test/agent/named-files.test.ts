import type { Keeper } from 'cgroup-utils-native';
import t from 'tap';
import { withNamedFiles } from '../../src/agent/named-files.js';

t.test('each file that is needed is read once by the keeper', async (t) => {
  const asked: string[] = [];
  const keeper = {
    async readFile(path: string) {
      asked.push(path);
      if (path === '/none') return { code: 'ENOENT', bytes: Buffer.alloc(0), mode: 0, uid: 0 };
      return { bytes: Buffer.from(`\u{FEFF}text of ${path}`), mode: 0o600, uid: 7 };
    },
  } as unknown as Keeper;
  let parsed = 0;
  const found = await withNamedFiles(keeper, 7, (files) => {
    parsed++;
    return [files.uid, files.read('/a'), files.read('/none'), files.read('/a')];
  });
  t.strictSame(found, [
    7,
    { text: 'text of /a', mode: 0o600, uid: 7 },
    'ENOENT',
    { text: 'text of /a', mode: 0o600, uid: 7 },
  ]);
  t.strictSame([asked, parsed], [['/a', '/none'], 3]);
});

t.test('an error of the options is the result', async (t) => {
  const keeper = {} as Keeper;
  await t.rejects(
    withNamedFiles(keeper, 7, () => {
      throw new Error('--memory: "4X" is not a size');
    }),
    /4X/,
  );
});

t.test('the agent reads the config file of the site by itself', async (t) => {
  const read = await withNamedFiles({} as Keeper, 7, (files) => files.read('/etc/proc_box/config.yaml'));
  t.ok(typeof read === 'string' || typeof read.text === 'string');
});
