import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { THROUGH_AGENT } from '../fixtures/agent.js';
import { childrenOf, readProc } from '../fixtures/processes.js';
import { killQuietly, type RunOptions, start, temporaryFolder } from '../fixtures/run.js';

const SECRET = 'S3cr3t%2Fp%40ss';
const DECODED = 'S3cr3t/p@ss';
/** Nobody listens there: the broker is retried while the job runs. */
const URI = `amqp://alice:${SECRET}@127.0.0.1:1/`;
const asUser = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
const root = process.getuid?.() === 0;

const dir = temporaryFolder(t);
chmodSync(dir, 0o755);
const uriFile = join(dir, 'uri');
writeFileSync(uriFile, `${URI}\n`, { mode: 0o600 });

const config = join(dir, 'config.yaml');
writeFileSync(config, `uri: '${URI}'\n`, { mode: 0o644 });

const WAYS: [string, RunOptions][] = [
  ['-uri', { options: ['-uri', URI] }],
  ['--uri=', { options: [`--uri=${URI}`] }],
  ['-uri with several hosts', { options: ['-uri', `${URI},amqp://bob:${SECRET}@127.0.0.1:2/`] }],
  ['PBOX_URI', { env: { PBOX_URI: URI } }],
  ['--uri-file', { options: ['--uri-file', uriFile] }],
  ['a config file', { options: ['--config', config] }],
];

for (const [way, options] of WAYS) {
  for (const user of ['root', 'an ordinary user'] as const) {
    const skip = user === 'an ordinary user' && !root ? 'needs root to become another user' : false;
    t.test(`a password given by ${way} shows nowhere, run by ${user}`, { skip }, async (t) => {
      if (user !== 'root' && way === '--uri-file') chownSync(uriFile, 65534, 65534);
      const running = start(t, ['sh', '-c', 'env; cat /proc/self/environ; echo ready; sleep 100'], {
        ...options,
        bare: true,
        options: ['--config', 'none', '--flush', '0', '--debug', '--report', ...(options.options ?? [])],
        ...(user !== 'root' && { through: asUser }),
      });
      await running.says('ready\n');
      await running.jobPid();
      const keeper = running.keeperPid();
      t.strictSame(secretsIn(running.pid, keeper), [], 'to root');
      if (root)
        t.strictSame(secretsSeenBy(asUser, running.pid, keeper), [], 'to an ordinary user of the same name or another');
      const ps = spawnSync('ps', ['axeww', '-o', 'args'], { encoding: 'utf8' });
      if (ps.error === undefined)
        t.notOk(
          hasSecret(
            ps.stdout
              .split('\n')
              .filter((line) => !line.includes('setpriv'))
              .join('\n'),
          ),
          'in ps',
        );
      // Not dumpable: not even the same user may read its memory, environment or descriptors.
      if (root && user !== 'root') {
        for (const pid of [running.pid, keeper]) {
          const cat = spawnSync('setpriv', [...asUser.slice(1), 'cat', `/proc/${pid}/environ`], { encoding: 'utf8' });
          t.not(cat.status, 0, `environ of ${pid} is closed to its own user`);
        }
      }
      await running.end();
      t.notOk(hasSecret(running.stdout()), "not in the job's environment");
      t.notOk(hasSecret(running.stderr()), `not in the log: ${running.stderr()}`);
      if (!THROUGH_AGENT) t.match(running.stderr(), /127\.0\.0\.1/, 'and the log does tell of the broker');
    });
  }
}

t.test('the words of the command line are there for ps, with the password masked', async (t) => {
  const running = start(t, ['sleep', '100'], {
    bare: true,
    options: ['--config', 'none', '--flush', '0', '-uri', URI],
  });
  await running.jobPid();
  const shown = readProc(`/proc/${running.pid}/cmdline`)!.split('\0');
  t.ok(shown.includes('amqp://***@127.0.0.1:1/'), shown.join(' '));
  t.ok(shown.includes('sleep'));
  t.match(readProc(`/proc/${running.keeperPid()}/cmdline`), /^proc_box-keeper/);
  await running.end();
});

t.test('the password is gone from the readable files within the first moments too', async (t) => {
  const running = start(t, ['sleep', '100'], {
    bare: true,
    options: ['--config', 'none', '--flush', '0'],
    env: { PBOX_URI: URI },
  });
  let looks = 0;
  const seen: string[] = [];
  // The environment that exec(2) gave is the kernel's to show until our first instructions have run.
  const began = performance.now();
  while (running.stderr() === '' && performance.now() - began < 3000) {
    if (performance.now() - began > 15 && hasSecret(readProc(`/proc/${running.pid}/environ`) ?? ''))
      seen.push('environ');
    looks++;
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.ok(looks > 0);
  t.strictSame(seen, []);
  await running.end();
});

t.test('whatever characters a password has, ps shows none of it', async (t) => {
  for (const [before, after] of [
    ['x', ',y'],
    ['x%40', ''],
    ['a,b', ',c'],
    ['', '%20%25'],
  ] as const) {
    const uri = `amqp://alice:${before}${SECRET}${after}@127.0.0.1:1,127.0.0.1:2/v`;
    for (const options of [['-uri', uri], [`--uri=${uri}`], ['--uri', `${uri},${uri}`]]) {
      const running = start(t, ['sleep', '100'], {
        bare: true,
        options: ['--config', 'none', '--flush', '0', ...options],
      });
      await running.jobPid();
      t.strictSame(secretsIn(running.pid, running.keeperPid(), ...childrenOf(running.pid)), [], uri);
      await running.end();
      t.notOk(hasSecret(running.stderr()), running.stderr());
    }
  }
});

t.test('a verb that waits shows no password of its own command line', async (t) => {
  const target = start(t, ['sleep', '100'], { options: ['--flush', '0'] });
  const pid = await target.jobPid();
  // A host that does not answer: the verbs wait.
  const uri = `amqp://alice:${SECRET}@192.0.2.1/`;
  for (const words of [
    ['adopt', '--detach', '--pid', String(pid), '--config', 'none', `--uri=${uri}`],
    ['adopt', '--pid', String(pid), '--config', 'none', '--uri', uri, '--flush', '0'],
    ['ctl', '--config', 'none', '--uri', uri, '--all', 'ping'],
    ['where', '--config', 'none', `-uri=${uri}`, '1'],
    ['check', '--config', 'none', '-uri', uri],
  ]) {
    const running = start(t, words, { bare: true });
    const began = performance.now();
    const seen = new Set<string>();
    let over = false;
    void running.done.then(() => {
      over = true;
    });
    while (!over && performance.now() - began < 600) {
      // What exec(2) gave is the kernel's to show until our first instructions have run.
      const early = performance.now() - began < 30;
      for (const member of running.members())
        for (const name of ['cmdline', 'environ'])
          if (!early && hasSecret(readProc(`/proc/${member}/${name}`) ?? '')) seen.add(`${words[0]} ${name}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const member of running.members()) killQuietly(member);
    await running.done;
    t.strictSame([...seen], [], words.slice(0, 2).join(' '));
    t.notOk(hasSecret(running.stderr() + running.stdout()));
  }
  await target.end();
});

function hasSecret(text: string): boolean {
  return text.includes(SECRET) || text.includes(DECODED) || text.includes('S3cr3t');
}

/** Files of /proc/PID that show a secret to us. */
function secretsIn(...pids: number[]): string[] {
  return pids.flatMap((pid) => {
    const names = [
      'cmdline',
      'environ',
      'status',
      'stat',
      'comm',
      'maps',
      ...readdirSync(`/proc/${pid}/task`).flatMap((tid) => [
        `task/${tid}/cmdline`,
        `task/${tid}/environ`,
        `task/${tid}/comm`,
      ]),
    ];
    return names.map((name) => `/proc/${pid}/${name}`).filter((path) => hasSecret(readProc(path) ?? ''));
  });
}

function secretsSeenBy(prefix: readonly string[], ...pids: number[]): string[] {
  return pids.flatMap((pid) =>
    ['cmdline', 'environ', 'status'].filter((name) => {
      const { stdout } = spawnSync(prefix[0]!, [...prefix.slice(1), 'cat', `/proc/${pid}/${name}`], {
        encoding: 'utf8',
      });
      return hasSecret(stdout);
    }),
  );
}
