// test-waits
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { processDirectory } from 'cgroup-utils-native';
import t, { type Test } from 'tap';
import { adopted, bare } from '../fixtures/adopted.js';
import { boxIdOf, groupsIn, withoutV1 } from '../fixtures/cgroups.js';
import { launch } from '../fixtures/keeper.js';
import { processState, readProc, until } from '../fixtures/processes.js';
import { job, run, temporaryFolder } from '../fixtures/run.js';

/** A process whose main thread has ended before the others (pthread_exit): the kernel shows a zombie with empty files. */

const leaderless = (mebibytes: number, children: number) => job('leaderless.py', String(mebibytes), String(children));
const sampled = ['--cgroup', 'off', '--report'];
const MIB = 2 ** 20;

/** Adoptable, with a pipe for its stdin: each byte there is one on its stdout. */
async function bareLeaderless(t: Test, mebibytes: number, children: number, file?: string) {
  const pipe = join(temporaryFolder(t), 'go');
  const command = leaderless(mebibytes, children).join(' ');
  const process = bare(t, `mkfifo ${pipe}; exec ${command} <> ${pipe}`, file === undefined ? {} : { file });
  const text = () => (file === undefined ? process.stdout() : readFileSync(file, 'utf8'));
  await until(() => text().includes('up'), 'its thread is ready');
  t.equal(processState(process.pid)?.state, 'Z', 'its main thread has ended');
  return { process, pipe };
}

t.test('its memory counts: 300 MB do not pass --memory 100M', async (t) => {
  const { code, stdout, stderr } = await run(t, leaderless(300, 0), { options: ['--memory', '100M', ...sampled] });
  t.equal(code, 137);
  t.equal(stdout, '', 'it did not get through');
  t.match(stderr, /ended +memory: SIGKILL/);
});

t.test('its children count: 20 do not pass --pids 10', async (t) => {
  const { code, stderr } = await run(t, leaderless(1, 20), { options: ['--pids', '10', ...sampled] });
  t.equal(code, 137);
  t.match(stderr, /ended +pids: SIGKILL/);
  t.match(stderr, /^proc_box: limit of 10 \(--pids\) for processes and threads passed: (1[1-9]|2\d) in use$/m);
});

t.test('a sample has its memory, threads, children, open files and state, and the end finds all of it', async (t) => {
  const { keeper, pid, event } = await launch(t, leaderless(30, 3));
  const sample = await until(async () => {
    const now = (await keeper.sample({ walk: true, rows: 4, pss: true, openFiles: true })).tree;
    return now?.pids.length === 4 && now;
  }, 'four processes');
  t.equal(processState(pid)?.state, 'Z');
  t.equal(sample.pids[0], pid);
  t.ok(sample.rssBytes > 30 * MIB && sample.vmsBytes > sample.rssBytes, `rss ${sample.rssBytes}`);
  t.ok(sample.anonBytes > 30 * MIB && sample.pssBytes > 30 * MIB, `anon ${sample.anonBytes}, pss ${sample.pssBytes}`);
  t.match(sample.rows[0], { threads: 2, state: /[SRD]/ });
  const [row] = sample.rows.filter((process) => process.pid === pid);
  t.ok(row !== undefined && row.rssBytes > 30 * MIB && /python/.test(row.comm));
  t.ok(sample.openFiles.some(({ fd }) => fd === 1));
  t.match(processDirectory(pid), new RegExp(`^/proc/${pid}/task/\\d+$`));
  t.equal(await keeper.suspend(), 4, 'all of them stop');
  t.equal(await keeper.resume(), 4);
  t.match(await keeper.rlimit('nofile', { soft: 60 }), { changed: 4, failed: 0 });
  t.equal(await keeper.kill(), 4);
  await event('empty');
});

t.test('the whole process is a zombie: there is nothing to read', async (t) => {
  const { keeper, pid } = await launch(t, ['sh', '-c', 'sleep 0 & exec sleep 600']);
  const child = await until(() => {
    const [first] = (readProc(`/proc/${pid}/task/${pid}/children`) ?? '').split(' ').filter(Boolean);
    return first !== undefined && processState(Number(first))?.state === 'Z' && Number(first);
  }, 'its child has ended');
  t.equal(processDirectory(child), `/proc/${child}`);
  t.strictSame((await keeper.sample({ walk: true })).tree?.pids, [pid]);
  await keeper.kill();
});

t.test('adopt takes it into a box below its own groups', { skip: withoutV1('memory', 'pids') }, async (t) => {
  const { process } = await bareLeaderless(t, 30, 2);
  const thread = processDirectory(process.pid);
  const before = groupsIn(readFileSync(`${thread}/cgroup`, 'utf8'));
  const limits = ['--memory', '200M', '--pids', '40', '--timeout', '2s', '--grace', '200ms'];
  const running = await adopted(t, process.pid, [...limits, '--sint', '100ms', '--report']);
  const box = boxIdOf(running.stderr());
  const now = groupsIn(readFileSync(`${thread}/cgroup`, 'utf8'));
  const below = (controller: string) => `${before[controller]?.replace(/\/$/, '')}/`;
  for (const controller of ['memory', 'pids']) {
    t.ok(now[controller]?.includes(box), `${controller}: ${now[controller]}`);
    t.ok(now[controller]?.startsWith(below(controller)), `${now[controller]} is below ${before[controller]}`);
  }
  const { stderr } = await running.done;
  t.match(stderr, /processes +3 at most/);
  t.strictSame(process.members(), []);
});

t.test('what an adopted one writes to a file counts', async (t) => {
  const file = join(temporaryFolder(t), 'out');
  const { process, pipe } = await bareLeaderless(t, 1, 0, file);
  const options = ['--stdoutlimit', '10', '--grace', '200ms', '--report', '--cgroup', 'off'];
  const running = await adopted(t, process.pid, options);
  bare(t, `printf 12345678901234567890 > ${pipe}`);
  const { stderr } = await running.done;
  t.match(stderr, /ended +stdoutlimit/);
});
