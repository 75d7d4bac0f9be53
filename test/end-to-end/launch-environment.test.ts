import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { processState, until } from '../fixtures/processes.js';
import { killQuietly, PROC_BOX, plainEnvironment, run, start, temporaryFolder } from '../fixtures/run.js';

/** What is meant for the job must not stop the Node of its box. */

const seesIt = (name: string) => ['sh', '-c', `echo "$${name}"; exit 3`];

t.test('libraries, settings of OpenSSL, malloc, glibc and Node are the job’s alone', async (t) => {
  const dir = temporaryFolder(t);
  for (const name of ['libstdc++.so.6', 'libc.so.6', 'libuv.so.1', 'libcrypto.so.3'])
    writeFileSync(join(dir, name), 'no library');
  writeFileSync(join(dir, 'broken.cnf'), 'openssl_conf = x\n[x\n');
  const cases: Readonly<Record<string, string>> = {
    LD_LIBRARY_PATH: dir,
    LD_PRELOAD: join(dir, 'none.so'),
    OPENSSL_CONF: join(dir, 'broken.cnf'),
    OPENSSL_MODULES: dir,
    SSL_CERT_FILE: join(dir, 'none.pem'),
    NODE_OPTIONS: '--no-such-option',
    NODE_V8_COVERAGE: '/nowhere',
    UV_THREADPOOL_SIZE: '100000',
    GLIBC_TUNABLES: 'glibc.malloc.check=3',
    MALLOC_PERTURB_: '255',
    LOCPATH: dir,
  };
  for (const [name, value] of Object.entries(cases)) {
    // The shell of the job would not start with these either.
    const command = name.startsWith('LD_') ? ['/nonexistent/program'] : seesIt(name);
    const { code, stdout, stderr } = await run(t, command, { env: { [name]: value } });
    if (name.startsWith('LD_')) t.match([code, stderr], [127, /run \/nonexistent\/program: not found/], name);
    else t.match([code, stdout, stderr], [3, `${value}\n`, /started in box/], name);
  }
});

for (const limit of ['-Sd 20000', '-Sn 20', '-Ss 64', '-Sf 0', '-St 100', '-Sv 300000', '-Su 5'])
  t.test(`a soft limit of the job’s (ulimit ${limit}) is the job’s alone`, async (t) => {
    const through = ['sh', '-c', `ulimit ${limit.replace('S', 'S -')}; exec "$@"`, 'sh'];
    const { code, stderr } = await run(t, ['/bin/true'], { through });
    t.match([code, stderr], [0, /started in box/]);
  });

for (const [limit, what] of [
  ['-d 20000', /the data segment is limited to 19 MiB .* needs 160 MiB: the job runs, but/],
  ['-n 20', /the number of open files is limited to 20 .* needs 40: the job runs, but/],
  ['-s 64', /the stack is limited to 64 KiB .* needs 1024 KiB: the job runs, but/],
] as const)
  t.test(`a hard limit (ulimit ${limit}) that leaves no room for Node: the job runs, and a line says so`, async (t) => {
    const through = ['sh', '-c', `ulimit ${limit}; exec "$@"`, 'sh'];
    const { code, stderr } = await run(t, ['sh', '-c', 'exit 3'], { through });
    t.equal(code, 3);
    if (!/started in box/.test(stderr)) t.match(stderr, what); // CAP_SYS_RESOURCE raises hard limits
  });

t.test('a process limit never ends in a hang, silence or a status that is not ours', async (t) => {
  if (process.getuid?.() !== 0) return t.pass('', { skip: 'needs root' });
  for (const most of [1, 2, 3, 4, 5, 6, 8]) {
    const through = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', 'prlimit', `--nproc=${most}`];
    const { code, stderr } = await run(t, ['/bin/true'], { through });
    t.ok(code === 0 || (code === 125 && /^proc_box: error: /m.test(stderr)), `${most}: ${code} ${stderr}`);
  }
});

t.test('only --failure itself lets a box fail open, and the last one counts', async (t) => {
  const through = ['sh', '-c', 'ulimit -v 300000; exec "$@"', 'sh'];
  const strict = ['--enforce', 'strict'];
  const cases: [string[], number][] = [
    [['--json', '{"note":"--failure open"}', '--'], 125],
    [['--failure', 'open', '--failure=closed', '--'], 125],
    [['--failure', 'closed', '--failure', 'open', '--'], 3],
  ];
  for (const [options, code] of cases) {
    const result = await run(t, ['sh', '-c', 'exit 3'], { through, options: [...strict, ...options] });
    if (!/started in box/.test(result.stderr)) t.equal(result.code, code, options.join(' '));
  }
});

t.test('without Node the verbs say that they need it, and are no programs', async (t) => {
  for (const words of [
    ['check'],
    ['ctl', 'ping'],
    ['spool'],
    ['where', '1'],
    ['adopt', '--pid', '1'],
    ['--version'],
    ['--help'],
  ]) {
    const script = `ulimit -v 300000; exec "${PROC_BOX}" "$@"`;
    const { status, stderr } = spawnSync('sh', ['-c', script, 'sh', ...words], {
      env: plainEnvironment(),
      encoding: 'utf8',
    });
    if (status !== 0) t.match([status, stderr], [125, /error: .*needs Node|error: /], words.join(' '));
    t.notMatch(stderr, 'run check');
  }
});

t.test('without Node: no password in ps, and SIGKILL of the keeper leaves nothing', async (t) => {
  const through = ['sh', '-c', 'ulimit -v 300000; exec "$@"', 'sh'];
  const options = ['--uri', 'amqp://me:S3cr3t@pass word@host/', '--config', 'none', '--timeout', '1h'];
  const running = start(t, ['sh', '-c', 'setsid sleep 1000 & echo ready; exec sleep 1000'], {
    bare: true,
    options,
    through,
  });
  await until(() => running.stdout().includes('ready'), 'the job runs');
  const shown = readFileSync(`/proc/${running.pid}/cmdline`, 'latin1');
  t.notMatch(shown, /S3cr3t|word@/);
  t.match(shown, 'amqp://***@host/');
  killQuietly(running.keeperPid());
  await until(() => running.members().length === 0, 'nothing is left');
  t.not((await running.done).code, 0);
});

t.test('without Node: a log that nobody reads does not end the start of the job', async (t) => {
  const script = `ulimit -v 300000; { "${PROC_BOX}" -uri none --config none --timeout 1h sh -c 'sleep 0.1; exit 7' 2>&1 >/dev/null; echo $? >&3; } 3>&1 >/dev/null | cat`;
  const closed = `exec 2>&-; ${script}`;
  t.equal(spawnSync('sh', ['-c', closed], { env: plainEnvironment(), encoding: 'utf8' }).stdout.trim(), '7');
});

t.test('as PID 1 of a container proc_box leaves no zombie', async (t) => {
  if (spawnSync('unshare', ['-pf', 'true']).status !== 0) return t.pass('', { skip: 'needs a pid namespace' });
  const through = ['unshare', '-pf', '--mount-proc'];
  const script = `(setsid sh -c 'sleep 0.05 & exec sleep 0.1' &); nsenter -t 1 -p true; sleep 0.5; ps -eo stat= | grep -c Z`;
  const { stdout } = await run(t, ['sh', '-c', script], { through });
  t.equal(stdout, '0\n');
  t.equal(processState(1)?.pid, 1);
});
