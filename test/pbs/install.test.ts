import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import t, { type Test } from 'tap';
import { HOOK } from '../fixtures/mom.js';
import { PROC_BOX, plainEnvironment, temporaryFolder } from '../fixtures/run.js';

/** A qmgr that notes what it is told, and knows what it has been told to create. As the real one it divides at blanks. */
const QMGR = `#!/bin/sh
case $2 in
  "delete resource"*)
    if [ -e "$HOME/named" ]; then
      echo 'qmgr obj=box svr=default: Resource busy on job' >&2
      echo 'qmgr: Error (15197) returned from server' >&2
      exit 1
    fi
    ;;
  "create hook"*) if [ -e "$HOME/full" ]; then echo 'qmgr: Error (15007) returned from server' >&2; exit 1; fi ;;
esac
case $2 in
  list*) grep -q "^create \${2#list }" "$HOME/told" 2>/dev/null && ! grep -q "^delete \${2#list }" "$HOME/told"; exit ;;
  import*) set -- $2; [ $# -eq 6 ] || exit 1; cp "$6" "$HOME/\${4#*/}"; set -- -c "$1 $2 $3 $4 $5" ;;
esac
echo "$2" >>"$HOME/told"
`;

function site(t: Test) {
  const home = t.testdir({ bin: {} });
  writeFileSync(join(home, 'bin', 'qmgr'), QMGR, { mode: 0o755 });
  const env = { ...plainEnvironment(), HOME: home, PATH: `${home}/bin:${process.env['PATH']}` };
  const call = (path: string, ...words: string[]) =>
    spawnSync(resolve(dirname(HOOK), path), words, { env, encoding: 'utf8', cwd: home });
  const told = () => readFileSync(join(home, 'told'), 'utf8').trim().split('\n');
  // PBS's server knows root; this qmgr does not ask.
  const user = (uid: number) => writeFileSync(join(home, 'bin', 'id'), `#!/bin/sh\necho ${uid}\n`, { mode: 0o755 });
  user(0);
  return {
    home,
    call,
    told,
    user,
    imported: (type: 'x-config' | 'x-python') => readFileSync(join(home, type), 'utf8'),
  };
}

t.test('installs, installs anew, removes', async (t) => {
  const { call, told, imported } = site(t);
  const first = call('install-hook');
  t.match(first, { status: 0, stderr: '' });
  t.match(told(), [
    'create resource box type=string, flag=m',
    'create hook box',
    'set hook box event = "queuejob,modifyjob,execjob_launch,execjob_epilogue,execjob_end"',
    'set hook box alarm = 30',
    'set hook box order = 900',
    'import hook box application/x-python default',
    'import hook box application/x-config default',
    'set hook box enabled = true',
  ]);
  t.strictSame(JSON.parse(imported('x-config')), { proc_box: PROC_BOX });
  t.equal(imported('x-python'), readFileSync(HOOK, 'utf8'));
  t.equal(call('install-hook').status, 0);
  t.equal(told().filter((line) => line.startsWith('create')).length, 2, 'what is there is not created again');
  t.equal(call('remove-hook').status, 0);
  t.strictSame(told().slice(-2), ['delete hook box', 'delete resource box']);
  t.equal(call('remove-hook').status, 0, 'again');
});

t.test('what cannot be done is said in our words', async (t) => {
  const { home, call, user, told } = site(t);
  t.match(call('install-hook', 'nowhere.json'), {
    status: 1,
    stderr: 'install-hook: error: nowhere.json does not exist; expected the configuration file (docs/pbs.md)\n',
  });
  t.match(call('install-hook', home), {
    status: 1,
    stderr: /^install-hook: error: .* cannot be read, or is no file; .*\n$/,
  });
  user(1000);
  for (const name of ['install-hook', 'remove-hook'])
    t.match(call(name), {
      status: 1,
      stdout: '',
      stderr: /^\S+: error: PBS lets only root (install|remove) hooks; run this as root .*\n$/,
    });
  user(0);
  writeFileSync(join(home, 'full'), '');
  t.match(call('install-hook'), {
    status: 1,
    stderr: "install-hook: error: qmgr -c 'create hook box': qmgr: Error (15007) returned from server\n",
  });
  rmSync(join(home, 'full'));
  t.equal(call('install-hook').status, 0);
  writeFileSync(join(home, 'named'), '');
  const removed = call('remove-hook');
  t.match(removed, { status: 0, stdout: 'removed hook box\n' });
  t.match(
    removed.stderr,
    /^remove-hook: the resource box stays for now, .*\n.* history .* Run this again later\..*Resource busy on job/,
  );
  t.equal(told().at(-1), 'delete hook box');
  rmSync(join(home, 'named'));
  t.match(call('remove-hook'), { status: 0, stderr: '' });
});

t.test('a package on a path with blanks and quotes', async (t) => {
  const { call, imported } = site(t);
  const home = join(temporaryFolder(t), `it's "a b"`);
  cpSync(dirname(HOOK), join(home, 'scripts', 'site', 'pbs'), { recursive: true });
  t.match(call(join(home, 'scripts', 'site', 'pbs', 'install-hook')), {
    status: 0,
    stderr: /^install-hook: warning: .*bin\/proc_box is not on this host/,
  });
  t.strictSame(JSON.parse(imported('x-config')), { proc_box: join(home, 'bin', 'proc_box') });
});

t.test('a configuration without proc_box, on a host that has none where it usually is', async (t) => {
  const { call, home, imported } = site(t);
  const usual = ['/usr/local/bin/proc_box', '/usr/bin/proc_box'].some((path) => existsSync(path));
  writeFileSync(join(home, 'c.json'), '{"fail": "closed"}');
  const { status, stderr } = call('install-hook', 'c.json');
  t.equal(status, 0);
  if (!usual) t.match(stderr, `of this host has one; the hook gets "proc_box": "${PROC_BOX}"`);
  t.strictSame(JSON.parse(imported('x-config')), { fail: 'closed', ...(!usual && { proc_box: PROC_BOX }) });
  writeFileSync(join(home, 'c.json'), '{"proc_box": "/nowhere/proc_box"}');
  t.match(call('install-hook', 'c.json'), {
    status: 0,
    stderr:
      'install-hook: warning: /nowhere/proc_box is not on this host, or cannot be executed; jobs get no box on a node without it\n',
  });
  t.strictSame(JSON.parse(imported('x-config')), { proc_box: '/nowhere/proc_box' }, 'nodes may differ');
});

t.test('a configuration that the hook would refuse is refused before anything is changed', async (t) => {
  const { call, home } = site(t);
  for (const [text, message] of [
    ['{"polcy": "off"}', /unknown key polcy; known keys are allow_off, cgroup_root, /],
    ['{"fail": "close"}', /: fail: "close"; expected open or closed/],
    ['{"default": "-uri none"}', /: default: "-uri none"; expected a list of words: options of every box/],
    ['{"flush_seconds": 60}', /: flush_seconds: 60; expected seconds, at most 25/],
    ['{"policy": "strickt"}', /: policy: "strickt"; expected off, default, strict, or options/],
    ['{"proc_box": "bin/proc_box"}', /: proc_box: "bin\/proc_box"; expected an absolute path/],
    ['["strict"]', /: expected a JSON object; docs\/pbs\.md has its keys/],
    ['{', /: Expecting property name/],
  ] as const) {
    writeFileSync(join(home, 'c.json'), text);
    const { status, stderr } = call('install-hook', 'c.json');
    t.equal(status, 1);
    t.match(stderr, message);
    t.match(stderr, /^install-hook: error: the configuration cannot be used: .*\n$/, 'one line');
  }
  t.throws(() => readFileSync(join(home, 'told')), { code: 'ENOENT' });
  writeFileSync(join(home, 'c.json'), '{"policy": "strict", "fail": "closed"}');
  t.equal(call('install-hook', 'c.json').status, 0);
});
