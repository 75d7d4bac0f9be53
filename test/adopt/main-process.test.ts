import { readFileSync } from 'node:fs';
import t from 'tap';
import { type Asker, commandOf, readMainProcess, type ShownProcess, variables } from '../../src/adopt/main-process.js';

const OWN = process.getuid!();

/** What a keeper shows of this process, with some of it changed. */
function shown(more: Partial<ShownProcess> = {}): ShownProcess {
  const { pid } = process;
  const read = (name: string) => readFileSync(`/proc/${pid}/${name}`, 'latin1');
  const texts = { stat: read('stat'), status: read('status'), command: 'node', environment: ['A=b=c', 'EMPTY='] };
  return { type: 'process', pid, stdoutMode: 'other', ...texts, ...more };
}

const asker = (more: Partial<Asker> = {}): Asker => ({
  pid: process.pid,
  uid: OWN,
  ours: [],
  environment: {},
  ...more,
});
const stat = (comm: string, state: string, flags = 0, threads = 1) =>
  `${process.pid} (${comm}) ${state} 1 1 1 0 -1 ${flags} 0 0 0 0 0 0 0 0 20 0 ${threads} 0 123 0`;

t.test('a process is told with its user and environment', async (t) => {
  const main = readMainProcess(shown(), asker({ environment: { A: 'ours' } }));
  t.match(main, { pid: process.pid, uid: OWN, gid: process.getgid!(), awaitExec: false });
  t.match(main.environment, { A: 'b=c', EMPTY: '' }, 'its own');
  const hidden = readMainProcess(shown({ environment: null }), asker({ environment: { A: 'ours' } }));
  t.strictSame(hidden.environment, { A: 'ours' }, "the caller's if its own cannot be read");
});

t.test('a task of slurmstepd is not yet the job', async (t) => {
  const environment = { SLURM_TASK_PID: String(process.pid), SLURM_JOB_ID: '7' };
  const main = readMainProcess(shown({ stat: stat('slurmstepd', 'S') }), asker({ environment }));
  t.match(main, { awaitExec: true, environment });
});

t.test('what cannot be boxed is refused', async (t) => {
  const refusal = (what: Partial<ShownProcess>, by: Partial<Asker>, message: string | RegExp) =>
    t.throws(() => readMainProcess(shown(what), asker(by)), { name: 'SpecError', message });
  const gone = `--pid ${process.pid}: there is no such process`;
  refusal({ stat: '' }, {}, gone);
  refusal({ stat: stat('a) b', 'Z') }, {}, gone);
  refusal({ pid: process.pid + 1 }, {}, gone);
  refusal({}, { ours: [process.pid] }, /is not a job/);
  refusal(
    { stat: stat('kworker', 'S', 0x00200000) },
    {},
    `--pid ${process.pid}: kworker is not a job: expected the main process of one`,
  );
  t.doesNotThrow(() => readMainProcess(shown({ stat: stat('threads', 'Z', 0, 2) }), asker()), 'its other threads live');
});

t.test("only root may box another user's process", async (t) => {
  const status = 'Name:\tsh\nUid:\t4242\t4242\t4242\t4242\nGid:\t4243\t4243\t4243\t4243\n';
  t.throws(() => readMainProcess(shown({ status }), asker({ uid: 4241 })), {
    name: 'EnvironmentError',
    message: /only root may box processes of other users/,
  });
  t.match(readMainProcess(shown({ status }), asker({ uid: 0 })), { uid: 4242, gid: 4243 });
});

t.test('a program that hides its words has its name', async (t) => {
  t.equal(commandOf(shown()), 'node');
  t.equal(commandOf(shown({ command: '', stat: stat('a (b) c', 'S') })), 'a (b) c');
  t.equal(commandOf(shown({ command: '', stat: '' })), '');
});

t.test('entries of an environment', async (t) => {
  t.strictSame(variables(['A=1', 'B==', 'none', '=x']), { A: '1', B: '=' });
});
