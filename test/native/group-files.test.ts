import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readFileSync, rmdirSync, symlinkSync, writeFileSync } from 'node:fs';
import type { FileOp, Keeper } from 'cgroup-utils-native';
import t, { type Test } from 'tap';
import { delegate, ownGroup, user, withoutV1 } from '../fixtures/cgroups.js';
import { COMMAND_INDEX, host, hostProgram, launch, NO_CGROUP } from '../fixtures/keeper.js';
import { isAlive, until } from '../fixtures/processes.js';
import { PROC_BOX, temporaryFolder } from '../fixtures/run.js';

/** What a keeper does with files on request, and what it refuses because an agent must not act outside the box. */

const V1 = { skip: withoutV1('pids') };
const refusal = async (keeper: Keeper, op: FileOp) => (await keeper.files([op]))[0]?.error;

/** A keeper, and the path of a group that it may make. */
async function keeperOf(t: Test) {
  const { keeper, event } = host(t, ['true']);
  await event('hello');
  const dir = `${ownGroup('pids')}/proc_box_test-${randomBytes(4).toString('hex')}`;
  t.teardown(() => removed(`${dir}/below`, dir));
  return { keeper, event, dir };
}

function removed(...dirs: string[]): void {
  for (const dir of dirs) {
    try {
      rmdirSync(dir);
    } catch {
      // It has gone already.
    }
  }
}

t.test('a group is made, written, read and removed', V1, async (t) => {
  const { keeper, dir } = await keeperOf(t);
  const results = await keeper.files([
    { op: 'mkdir', path: dir },
    { op: 'write', path: `${dir}/pids.max`, text: '17' },
    { op: 'read', path: `${dir}/pids.max` },
    { op: 'mkdir', path: `${dir}/below` },
    { op: 'write', path: `${dir}/below/pids.max`, text: '5' },
    { op: 'exists', path: `${dir}/below/pids.max` },
    { op: 'writable', path: `${dir}/pids.none` },
    { op: 'processes', path: `${dir}/cgroup.procs` },
    { op: 'write', path: `${dir}/pids.max`, text: 'many' },
    { op: 'rmdir', path: dir },
    { op: 'rmtree', path: dir },
    { op: 'exists', path: `${dir}/pids.max` },
  ]);
  t.strictSame(
    results.map(({ error, text }) => error ?? text),
    ['', '', '17\n', '', '', '', 'ENOENT', '', 'EINVAL', 'EBUSY', '', 'ENOENT'],
  );
});

t.test('three files of /proc may be read, of the keeper or by pid', async (t) => {
  const { keeper, event } = host(t, ['true']);
  await event('hello');
  const [mounts, groups, status, other, odd] = await keeper.files([
    { op: 'mountinfo' },
    { op: 'cgroup', pid: null },
    { op: 'status', pid: null },
    { op: 'cgroup', pid: process.pid },
    { op: 'status', pid: 2 ** 22 + 1 },
  ]);
  t.match(mounts?.text, / - proc /);
  t.equal(groups?.text, readFileSync('/proc/self/cgroup', 'utf8'));
  t.match(status?.text, new RegExp(`^Pid:\\s+${keeper.pid}$`, 'm'));
  t.equal(other?.text, readFileSync('/proc/self/cgroup', 'utf8'));
  t.match(odd, { error: 'ENOENT', text: '' });
});

t.test('only files of a cgroup file system are read', V1, async (t) => {
  const { keeper } = await keeperOf(t);
  const folder = t.testdir({ file: 'secret' });
  symlinkSync(ownGroup('pids') as string, `${folder}/link`);
  for (const path of [
    `${folder}/file`,
    '/etc/passwd',
    '/proc/self/environ',
    '/proc/1/status',
    '/sys/fs/cgroup/no-group',
    'relative/pids.max',
    '',
    '/',
  ]) {
    for (const op of ['read', 'exists', 'writable', 'processes'] as const)
      t.equal(await refusal(keeper, { op, path }), 'EPERM', `${op} ${path}`);
  }
  const own = ownGroup('pids');
  for (const path of [`${folder}/link/pids.current`, `${own}/../pids.current`, `${own}//cgroup.procs`, `${own}/./x`])
    t.equal(await refusal(keeper, { op: 'read', path }), 'EPERM', path);
});

t.test('directories are made only in a cgroup file system', V1, async (t) => {
  const { keeper, dir } = await keeperOf(t);
  const folder = t.testdir({});
  symlinkSync(ownGroup('pids') as string, `${folder}/link`);
  for (const path of [`${folder}/x`, `${folder}/link/x`, `${dir}/..`, `${dir}/../x`, '/sys/fs/cgroup/x', 'x'])
    t.equal(await refusal(keeper, { op: 'mkdir', path }), 'EPERM', path);
});

t.test('only groups that the keeper has made are written and removed', V1, async (t) => {
  const { keeper, dir } = await keeperOf(t);
  const theirs = `${dir}-theirs`;
  mkdirSync(theirs);
  t.teardown(() => removed(theirs));
  await keeper.files([{ op: 'mkdir', path: dir }]);
  const parent = ownGroup('pids');
  for (const op of [
    { op: 'write', path: `${theirs}/pids.max`, text: '5' },
    { op: 'write', path: `${theirs}/cgroup.procs`, text: '0' },
    { op: 'write', path: `${parent}/pids.max`, text: '5' },
    { op: 'write', path: `${parent}/notify_on_release`, text: '0' },
    { op: 'write', path: `${dir}/../${theirs.split('/').at(-1)}/pids.max`, text: '5' },
    { op: 'write', path: '/proc/self/oom_score_adj', text: '0' },
    { op: 'rmdir', path: theirs },
    { op: 'rmtree', path: theirs },
    { op: 'rmtree', path: parent as string },
    { op: 'rmdir', path: `${dir}/../${theirs.split('/').at(-1)}` },
  ] as const)
    t.equal(await refusal(keeper, op), 'EPERM', `${op.op} ${op.path}`);
  t.equal(readFileSync(`${theirs}/pids.max`, 'utf8'), 'max\n');
  t.equal(await refusal(keeper, { op: 'rmdir', path: dir }), null);
});

t.test('only our own processes and those of the box are moved', V1, async (t) => {
  const dir = `${ownGroup('pids')}/proc_box_test-${randomBytes(4).toString('hex')}`;
  const { keeper, pid } = await launch(t, ['sleep', '1000']);
  t.teardown(async () => {
    await keeper.kill().catch(() => 0);
    keeper.finish();
    await until(() => !isAlive(pid), 'the job has ended');
    removed(dir);
  });
  await keeper.files([{ op: 'mkdir', path: dir }]);
  const move = (text: string, file = 'cgroup.procs') => refusal(keeper, { op: 'write', path: `${dir}/${file}`, text });
  for (const text of [String(process.pid), '1', '-1', '', '1 2', `${pid}\n`, 'x']) {
    t.equal(await move(text), 'EPERM', `"${text}"`);
    t.equal(await move(text, 'tasks'), 'EPERM', `"${text}" to tasks`);
  }
  t.equal(await move(String(spawnSync('true').pid)), 'ESRCH', 'a process that has ended');
  t.equal(await move(String(pid)), null, 'the job');
  t.equal((await keeper.files([{ op: 'processes', path: `${dir}/cgroup.procs` }]))[0]?.text, `${pid}\n`);
  t.equal(await move(String(keeper.pid)), null, 'the keeper');
  t.equal(
    await refusal(keeper, { op: 'write', path: `${ownGroup('pids')}/cgroup.procs`, text: '0' }),
    null,
    'and back',
  );
});

t.test('a request has its bounds', V1, async (t) => {
  const { keeper, dir } = await keeperOf(t);
  const many = Array.from({ length: 257 }, () => ({ op: 'mountinfo' }) as const);
  t.strictSame(await keeper.files(many), [{ error: 'E2BIG', text: '' }]);
  t.equal((await keeper.files(many.slice(0, 100))).length, 100);
  const long = { op: 'write', path: `${dir}/pids.max`, text: 'x'.repeat(256 << 10) } as const;
  t.strictSame(await keeper.files([long]), [{ error: 'E2BIG', text: '' }]);
  t.strictSame(await keeper.files([]), []);
});

t.test('the groups go with the keeper, if it was told how to remove them', V1, async (t) => {
  const { keeper, event, dir } = await keeperOf(t);
  keeper.cleanup([{ op: 'rmdir', path: dir }]);
  await keeper.files([{ op: 'mkdir', path: dir }]);
  t.ok(readFileSync(`${dir}/pids.max`, 'utf8'));
  keeper.close();
  await until(() => !isAlive(keeper.pid), 'the keeper has ended');
  t.throws(() => readFileSync(`${dir}/pids.max`));
  t.ok(event);
});

/** A keeper of an ordinary user, whose wrapper, this test, is root: as an agent is another user. */
async function foreignKeeper(t: Test, words: readonly string[]) {
  const top = delegate(t, ['pids']).dirs['pids'] as string;
  const program = `${temporaryFolder(t)}/keeper`;
  const run = `exec ${user().join(' ')} bash -c 'exec -a proc_box-keeper "$0" "$@"' ${PROC_BOX} "$@"`;
  writeFileSync(program, `#!/bin/bash\n${run}\n`, { mode: 0o755 });
  const { keeper, event } = hostProgram(t, program, words);
  await event('hello');
  const theirs = `${top}/theirs`;
  mkdirSync(theirs);
  chownSync(theirs, 65534, 65534);
  chownSync(`${theirs}/pids.max`, 65534, 65534);
  return { keeper, event, top, theirs };
}

t.test('for a wrapper of another user the clean-up keeps to the groups made for it', V1, async (t) => {
  const { keeper, top, theirs } = await foreignKeeper(t, ['true']);
  const dir = `${top}/box`;
  keeper.cleanup([
    { op: 'rmdir', path: theirs },
    { op: 'write', path: `${theirs}/pids.max`, text: '1' },
    { op: 'rmdir', path: `${dir}/../theirs` },
    { op: 'rmdir', path: dir },
  ]);
  t.equal(await refusal(keeper, { op: 'mkdir', path: dir }), null);
  keeper.close();
  await until(() => !isAlive(keeper.pid), 'the keeper has ended');
  t.notOk(existsSync(dir));
  t.equal(readFileSync(`${theirs}/pids.max`, 'utf8'), 'max\n');
});

t.test('for a wrapper of another user the job goes only into groups made for it', V1, async (t) => {
  const spec = { commandIndex: COMMAND_INDEX, rlimits: [], stdoutMaxBytes: 0 };
  const given = [
    { tasks: ['/tasks'] },
    { forkInto: '' },
    { killFile: '/cgroup.kill' },
    { freezer: { version: 1, dir: '' } },
  ] as const;
  for (const more of given) {
    const { keeper, event, theirs } = await foreignKeeper(t, ['true']);
    const inTheirs = JSON.parse(JSON.stringify(more), (_, value) =>
      typeof value === 'string' ? theirs + value : value,
    );
    keeper.start({ ...spec, cgroup: { ...NO_CGROUP, ...inTheirs } });
    t.match(await event('failed'), { step: 'cgroup', code: 'EPERM' }, JSON.stringify(more));
  }
  const { keeper, event, top } = await foreignKeeper(t, ['true']);
  await keeper.files([{ op: 'mkdir', path: `${top}/box` }]);
  keeper.cleanup([{ op: 'rmdir', path: `${top}/box` }]);
  keeper.start({ ...spec, cgroup: { ...NO_CGROUP, tasks: [`${top}/box/tasks`] } });
  t.match(await event('exited'), { code: 0 });
});
