import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { HOOK } from '../fixtures/mom.js';
import { PROC_BOX, plainEnvironment } from '../fixtures/run.js';

/** A qmgr that notes what it is told, and knows what it has been told to create. */
const QMGR = `#!/bin/sh
case $2 in
  list*) grep -q "^create \${2#list }" "$HOME/told" 2>/dev/null && ! grep -q "^delete \${2#list }" "$HOME/told"; exit ;;
  *x-config*) cp "\${2##* }" "$HOME/config.json" ;;
esac
echo "$2" >>"$HOME/told"
`;

function site(t: Test) {
  const home = t.testdir({ bin: {} });
  writeFileSync(join(home, 'bin', 'qmgr'), QMGR, { mode: 0o755 });
  const env = { ...plainEnvironment(), HOME: home, PATH: `${home}/bin:${process.env['PATH']}` };
  const call = (name: string, ...words: string[]) =>
    spawnSync(join(dirname(HOOK), name), words, { env, encoding: 'utf8', cwd: home });
  const told = () => readFileSync(join(home, 'told'), 'utf8').trim().split('\n');
  return { home, call, told, config: () => JSON.parse(readFileSync(join(home, 'config.json'), 'utf8')) };
}

t.test('installs, installs anew, removes', async (t) => {
  const { call, told, config } = site(t);
  const first = call('install-hook');
  t.match(first, { status: 0, stderr: '' });
  t.match(told(), [
    'create resource box type=string, flag=m',
    'create hook box',
    "set hook box event = 'queuejob,modifyjob,execjob_launch,execjob_epilogue,execjob_end'",
    'set hook box alarm = 30',
    `import hook box application/x-python default ${HOOK}`,
    /^import hook box application\/x-config default \//,
    'set hook box enabled = true',
  ]);
  t.strictSame(config(), { proc_box: PROC_BOX });
  t.equal(call('install-hook').status, 0);
  t.equal(told().filter((line) => line.startsWith('create')).length, 2, 'what is there is not created again');
  t.equal(call('remove-hook').status, 0);
  t.strictSame(told().slice(-2), ['delete hook box', 'delete resource box']);
  t.equal(call('remove-hook').status, 0, 'again');
});

t.test('a configuration that the hook would refuse is refused before anything is changed', async (t) => {
  const { call, home } = site(t);
  for (const [text, message] of [
    ['{"polcy": "off"}', /unknown key polcy; known are allow_off, cgroup_root, /],
    ['{', /the configuration is no JSON/],
  ] as const) {
    writeFileSync(join(home, 'c.json'), text);
    t.match(call('install-hook', 'c.json'), { status: 1, stderr: message });
  }
  t.throws(() => readFileSync(join(home, 'told')), { code: 'ENOENT' });
  writeFileSync(join(home, 'c.json'), '{"policy": "strict", "fail": "closed"}');
  t.equal(call('install-hook', 'c.json').status, 0);
});
