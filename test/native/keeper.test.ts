import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { launchKeeper, monotonicMs } from 'cgroup-utils-native';
import t from 'tap';
import { COMMAND_INDEX, host, launch, NO_CGROUP } from '../fixtures/keeper.js';
import { childrenOf, environmentOf, isAlive, processState, until } from '../fixtures/processes.js';
import { PYTHON, temporaryFolder } from '../fixtures/run.js';

const STAY = ['sh', '-c', 'sleep 1000 & setsid sleep 1000 & wait'];

t.test('says hello with the words and the settings, and starts nothing by itself', async (t) => {
  const { keeper, event, events } = host(t, ['cmd', 'ä b', ''], { PBOX_URI: 'amqp://x', PBOX_SINT: '1s', OTHER: 'y' });
  const hello = await event('hello');
  t.strictSame(hello.argv.slice(COMMAND_INDEX), ['cmd', 'ä b', '']);
  t.strictSame([...hello.settings].sort(), ['PBOX_SINT=1s', 'PBOX_URI=amqp://x']);
  t.equal(processState(keeper.pid)?.comm, 'proc_box-keeper');
  t.strictSame(childrenOf(keeper.pid), []);
  t.notMatch(environmentOf(keeper.pid)?.join(' ') ?? '', /amqp/);
  keeper.close();
  await until(() => !isAlive(keeper.pid), 'the keeper has ended');
  t.strictSame(
    events.map(({ type }) => type),
    ['hello'],
    'nothing comes after close',
  );
});

t.test('started, exited, empty, in this order, with times and usage', async (t) => {
  const before = monotonicMs();
  const { events, event } = await launch(t, ['sh', '-c', 'n=0; while [ $n -lt 200000 ]; do n=$((n+1)); done; exit 3']);
  const exited = await event('exited');
  const empty = await event('empty');
  t.strictSame(
    events.map(({ type }) => type),
    ['hello', 'started', 'exited', 'empty'],
  );
  t.match(exited, { code: 3, signal: null, coreDumped: false });
  t.ok(exited.atMs > before && exited.atMs < monotonicMs());
  t.ok(exited.usage.userUsec > 20_000, `${exited.usage.userUsec} us of CPU`);
  t.ok(exited.usage.maxRssBytes > 100_000);
  t.ok(empty.usage.userUsec >= exited.usage.userUsec);
});

t.test('a signal that ended the job', async (t) => {
  const { keeper, event } = await launch(t, ['sleep', '1000']);
  t.equal(await keeper.signal('group', 15), 1);
  t.match(await event('exited'), { code: null, signal: 15 });
});

for (const [name, words, failed] of [
  ['a command that is not there', ['no-such-command-at-all'], { step: 'exec', index: 0, code: 'ENOENT' }],
  ['a command that cannot be executed', ['/etc/passwd'], { step: 'exec', index: -1, code: 'EACCES' }],
  ['a folder', ['/tmp'], { step: 'exec', index: -1, code: 'EACCES' }],
] as const) {
  t.test(`${name} fails at its step`, async (t) => {
    const { keeper, event, events } = host(t, words);
    await event('hello');
    keeper.start({ commandIndex: COMMAND_INDEX, rlimits: [], cgroup: NO_CGROUP, stdoutMaxBytes: 0 });
    t.match(await event('failed'), failed);
    t.notOk(events.some(({ type }) => type === 'started'));
  });
}

t.test('a cgroup.procs that cannot be written fails with its index', async (t) => {
  const { keeper, event } = host(t, ['true']);
  await event('hello');
  keeper.start({
    commandIndex: COMMAND_INDEX,
    rlimits: [],
    cgroup: { ...NO_CGROUP, tasks: ['/dev/null', '/no/such/tasks'] },
    stdoutMaxBytes: 0,
  });
  t.match(await event('failed'), { step: 'cgroup', index: 1, code: 'ENOENT' });
});

t.test('each cgroup.procs gets a 0 from the job itself', async (t) => {
  const path = join(temporaryFolder(t), 'cgroup.procs');
  writeFileSync(path, '');
  const { event } = await launch(t, ['true'], { cgroup: { ...NO_CGROUP, tasks: [path] } });
  await event('empty');
  t.equal(readFileSync(path, 'utf8'), '0');
});

t.test('a limit is set on a box of 64 processes that fork, without end', async (t) => {
  const forks = [
    'import os',
    'for _ in range(64):',
    '  if os.fork() == 0:',
    '    while True:',
    '      pid = os.fork()',
    '      if pid == 0: os._exit(0)',
    '      os.waitpid(pid, 0)',
    'os.write(1, b"ready")',
    'os.waitpid(-1, 0)',
  ].join('\n');
  const { keeper, pid } = await launch(t, [PYTHON, '-S', '-E', '-c', forks]);
  await until(() => childrenOf(pid).length === 64, 'all fork');
  const began = monotonicMs();
  const { changed, failed } = await keeper.rlimit('nofile', { soft: 77 });
  t.ok(changed >= 64 && changed < 1000 && failed === 0, `${changed} changed`);
  t.ok(monotonicMs() - began < 2000, `${monotonicMs() - began} ms, on however busy a host`);
  for (const child of childrenOf(pid)) t.match(readFileSync(`/proc/${child}/limits`, 'utf8'), /Max open files +77 /);
  await keeper.kill();
});

t.test('a keeper that is stopped blocks nobody, and gets every request in the end', async (t) => {
  const { keeper } = await launch(t, ['sleep', '1000']);
  process.kill(keeper.pid, 'SIGSTOP');
  await until(() => processState(keeper.pid)?.state === 'T', 'it is stopped');
  // More than the socket takes.
  const requests = Array.from({ length: 50_000 }, () => keeper.stdoutLimit(0));
  process.kill(keeper.pid, 'SIGCONT');
  await Promise.all(requests);
  await keeper.kill();
});

t.test('a command line that is longer than a socket takes arrives whole', async (t) => {
  const words = Array.from({ length: 20 }, (_, n) => `${n}${'x'.repeat(60_000)}`);
  const { event } = host(t, ['true', ...words]);
  t.strictSame((await event('hello')).argv.slice(COMMAND_INDEX + 1), words);
});

t.test('suspend stops every process, resume lets every process go on', async (t) => {
  const { keeper, pid } = await launch(t, STAY);
  const members = await until(() => {
    const found = [pid, ...childrenOf(pid), ...childrenOf(keeper.pid)];
    return new Set(found).size === 3 ? [...new Set(found)] : undefined;
  }, 'three processes');
  t.equal(await keeper.suspend(), 3);
  await until(() => members.every((member) => processState(member)?.state === 'T'), 'all are stopped');
  t.equal(await keeper.resume(), 3);
  await until(() => members.every((member) => processState(member)?.state === 'S'), 'all go on');
  t.equal(await keeper.kill(), 3);
});

t.test('a suspended box can be killed', async (t) => {
  const { keeper, event, pid } = await launch(t, STAY);
  await until(() => childrenOf(pid).length === 2, 'its children run');
  await keeper.suspend();
  await keeper.kill();
  t.match(await event('exited'), { signal: 9 });
  await event('empty');
});

t.test('signal to all reaches who has left the group', async (t) => {
  const { keeper, event, pid } = await launch(t, STAY);
  const sleeps = await until(() => (childrenOf(pid).length === 2 ? childrenOf(pid) : undefined), 'its children run');
  t.equal(await keeper.signal('all', 15), 3);
  await event('empty');
  t.notOk(sleeps.some(isAlive));
});

t.test('signal to all reaches a deep tree whose parents die of it first', async (t) => {
  const chain = 'f() { if [ $1 -gt 0 ]; then (f $(($1 - 1))); fi; sleep 1000; }; f 25';
  for (let round = 0; round < 5; round++) {
    const { keeper, pid, event } = await launch(t, ['sh', '-c', chain]);
    const depth = () => {
      let at = pid;
      let levels = 0;
      for (let next = childrenOf(at)[0]; next !== undefined; next = childrenOf(at)[0]) {
        at = next;
        levels++;
      }
      return levels;
    };
    await until(() => depth() >= 25, 'the chain is there');
    t.ok((await keeper.signal('all', 15)) >= 26);
    await event('empty');
  }
});

t.test('stops and continuations of the main process are told, those of suspend are not', async (t) => {
  const { keeper, pid, events, event } = await launch(t, ['sleep', '1000']);
  await keeper.suspend();
  await until(() => processState(pid)?.state === 'T', 'suspended');
  await keeper.resume();
  await until(() => processState(pid)?.state === 'S', 'resumed');
  process.kill(pid, 'SIGSTOP');
  t.match(await event('stopped'), { signal: 19 });
  t.equal(events.filter(({ type }) => type === 'stopped').length, 1);
  process.kill(pid, 'SIGCONT');
  await event('continued');
  await keeper.kill();
});

t.test('rlimits are set before exec, and changed on every process later', async (t) => {
  const { keeper, pid } = await launch(t, STAY, { rlimits: [{ name: 'nofile', soft: 100, hard: 200 }] });
  await until(() => childrenOf(pid).length === 2, 'its children run');
  const limits = () =>
    [pid, ...childrenOf(pid)].map((member) =>
      /Max open files\s+(\d+)\s+(\d+)/
        .exec(readFileSync(`/proc/${member}/limits`, 'utf8'))
        ?.slice(1)
        .join(':'),
    );
  t.strictSame(limits(), ['100:200', '100:200', '100:200']);
  t.strictSame(await keeper.rlimit('nofile', { soft: 50, hard: 60 }), {
    changed: 3,
    failed: 0,
    errno: 0,
    code: '',
    limit: { soft: 50, hard: 60 },
  });
  t.strictSame(limits(), ['50:60', '50:60', '50:60']);
  t.match(await keeper.rlimit('nofile', { soft: 55 }), { changed: 3, limit: { soft: 55, hard: 60 } });
  t.match(await keeper.rlimit('nofile', { hard: 40 }), { changed: 3, limit: { soft: 40, hard: 40 } });
  t.strictSame(limits(), ['40:40', '40:40', '40:40']);
  await keeper.kill();
});

t.test('a limit that cannot be set is told with its errno', async (t) => {
  const { keeper } = await launch(t, ['sleep', '1000']);
  t.match(await keeper.rlimit('nofile', { soft: 100, hard: 50 }), { changed: 0, failed: 1, code: 'EINVAL' });
  await keeper.kill();
});

t.test('requests after the end of the job are answered, those after close are rejected', async (t) => {
  const { keeper, event } = await launch(t, ['true']);
  await event('empty');
  t.equal(await keeper.signal('group', 15), 0);
  t.equal(await keeper.signal('all', 15), 0);
  t.equal(await keeper.kill(), 0);
  t.match(await keeper.sample({}), { usage: { stdoutBytes: 0 } });
  t.match(await keeper.rlimit('nofile', { soft: 1 }), { changed: 0, failed: 0 });
  keeper.close();
  await t.rejects(keeper.sample({}), { message: 'the keeper has ended' });
  keeper.close();
});

t.test('close kills what is left of the box', async (t) => {
  const { keeper, pid } = await launch(t, STAY);
  const members = await until(
    () => (childrenOf(pid).length === 2 ? [pid, ...childrenOf(pid)] : undefined),
    'its children run',
  );
  const keeperPid = keeper.pid;
  keeper.close();
  await until(() => !members.some(isAlive) && !isAlive(keeperPid), 'all have ended', 1000);
  t.pass();
});

t.test('SIGKILL of a keeper is told, and requests that wait are rejected', async (t) => {
  const { keeper, pid, event } = await launch(t, ['sleep', '1000']);
  process.kill(keeper.pid, 'SIGSTOP');
  await until(() => processState(keeper.pid)?.state === 'T', 'the keeper is stopped');
  const sample = keeper.sample({});
  process.kill(keeper.pid, 'SIGKILL');
  await t.rejects(sample, { message: 'the keeper has ended' });
  await event('gone');
  await until(() => !isAlive(pid), 'the main process dies with its keeper');
});

t.test('two boxes in one process do not disturb each other', async (t) => {
  const one = await launch(t, STAY, { rlimits: [{ name: 'nofile', soft: 111, hard: 111 }] });
  const two = await launch(t, STAY, { rlimits: [{ name: 'nofile', soft: 222, hard: 222 }] });
  t.not(one.keeper.pid, two.keeper.pid);
  await until(() => childrenOf(one.pid).length === 2 && childrenOf(two.pid).length === 2, 'both run');
  t.match(await one.keeper.rlimit('nofile', { soft: 11 }), { changed: 3 });
  t.match(readFileSync(`/proc/${two.pid}/limits`, 'utf8'), /Max open files\s+222\s/);
  t.equal(await one.keeper.kill(), 3);
  await one.event('empty');
  t.ok(isAlive(two.pid));
  t.notOk(two.events.some(({ type }) => type === 'exited'));
  t.equal(await two.keeper.signal('all', 15), 3);
  t.match(await two.event('exited'), { signal: 15 });
  await two.event('empty');
});

t.test('twenty boxes at once', async (t) => {
  const boxes = await Promise.all(Array.from({ length: 20 }, (_, n) => launch(t, ['sh', '-c', `exit ${n}`])));
  const codes = await Promise.all(boxes.map(async ({ event }) => (await event('exited')).code));
  t.strictSame(
    codes,
    Array.from({ length: 20 }, (_, n) => n),
  );
});

t.test("an executable that is not there is an error of Node's own form", async (t) => {
  t.throws(() => launchKeeper('/no/such/executable', [], []), { code: 'ENOENT', syscall: 'posix_spawn', errno: -2 });
});

t.test('a keeper is small', async (t) => {
  const { keeper } = await launch(t, ['sleep', '1000']);
  const rss = Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${keeper.pid}/status`, 'utf8'))?.[1]);
  t.ok(rss < 1024, `${rss} KiB resident`);
  await keeper.kill();
});
