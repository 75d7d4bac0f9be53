import { randomBytes } from 'node:crypto';
import { readdirSync, readlinkSync } from 'node:fs';
import t from 'tap';
import { childrenOf, processesWith, processState } from '../fixtures/processes.js';
import { run, start } from '../fixtures/run.js';

const MARK = { PROC_BOX_TEST_LEAKS: randomBytes(8).toString('hex') };
const quiet = { stdio: ['ignore', 'ignore', 'ignore'], env: MARK } as const;

/** Processes that came from here, zombies of ours, descriptors of this process. */
function held() {
  return {
    processes: processesWith(`PROC_BOX_TEST_LEAKS=${MARK.PROC_BOX_TEST_LEAKS}`),
    children: childrenOf(process.pid).filter((pid) => processState(pid)?.comm !== 'esbuild'),
    descriptors: readdirSync('/proc/self/fd').length,
  };
}

t.test('200 jobs one after the other leave no process, zombie or descriptor', async (t) => {
  await run(t, ['true']);
  const before = held();
  for (let n = 0; n < 200; n++) {
    const { code } = await run(t, ['true'], quiet);
    if (code !== 0) t.fail(`run ${n}: status ${code}`);
  }
  t.strictSame(held(), before);
});

t.test('20 jobs at once leave no process, zombie or descriptor', async (t) => {
  const before = held();
  const codes = await Promise.all(Array.from({ length: 20 }, () => run(t, ['true'], quiet)));
  t.ok(codes.every(({ code }) => code === 0));
  t.strictSame(held(), before);
});

t.test('a job that forks a thousand times leaves no zombie with its keeper', async (t) => {
  const running = start(
    t,
    ['sh', '-c', 'n=0; while [ $n -lt 1000 ]; do (true &); n=$((n+1)); done; echo ready; read line'],
    { stdio: ['pipe', 'pipe', 'pipe'] },
  );
  await running.says('ready');
  const main = await running.jobPid();
  const keeper = running.keeperPid();
  for (let round = 0; round < 200 && childrenOf(keeper).length > 1; round++)
    await new Promise((resolve) => setTimeout(resolve, 5));
  t.strictSame(childrenOf(keeper), [main]);
  t.ok(readdirSync(`/proc/${keeper}/fd`).length < 12, 'the keeper holds few descriptors');
  running.child.stdin?.end('\n');
  t.equal((await running.done).code, 0);
});

t.test('the keeper holds nothing of what was inherited', async (t) => {
  const running = start(t, ['sleep', '100'], { stdio: ['pipe', 'pipe', 'pipe', 'pipe', 'pipe'] });
  await running.jobPid();
  const of = (pid: number) =>
    new Map(readdirSync(`/proc/${pid}/fd`).map((fd) => [fd, readlinkSync(`/proc/${pid}/fd/${fd}`)]));
  const job = of(await running.jobPid());
  const keeper = [...of(running.keeperPid()).values()];
  for (const fd of ['0', '3', '4']) t.notOk(keeper.includes(job.get(fd)!), `descriptor ${fd}`);
  const wrapper = [...of(running.pid).values()];
  for (const fd of ['0', '1', '3', '4']) t.notOk(wrapper.includes(job.get(fd)!), `descriptor ${fd} in the wrapper`);
  await running.end();
});
