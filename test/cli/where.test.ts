import { execFile } from 'node:child_process';
import t, { type Test } from 'tap';
import { foreignClient, sharedBroker, unique } from '../fixtures/broker.js';
import { answerOf, fakeBoxes } from '../fixtures/ctl.js';
import { PROC_BOX, plainEnvironment } from '../fixtures/run.js';
import { slurmTool } from '../fixtures/slurm-tools.js';

/** `proc_box where` with stand-ins for the tools of Slurm and for boxes; test/slurm/where.test.ts has the real ones. */

const uri = await sharedBroker(t);
const { channel } = await foreignClient(t, uri);

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function where(words: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
  const all = plainEnvironment({ PBOX_CONFIG: 'none', PBOX_URI: uri, PATH: process.env['PATH'] ?? '', ...env });
  return new Promise((resolve) => {
    execFile(PROC_BOX, ['where', ...words], { env: all }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

/** Jobs as squeue lists them, steps as sstat does. */
function slurm(t: Test, jobs: readonly string[], steps: readonly string[] = []): void {
  slurmTool(
    t,
    'squeue',
    jobs.length === 0 ? 'echo "Invalid job id specified" >&2; exit 1' : `cat <<'END'\n${jobs.join('\n')}\nEND`,
  );
  slurmTool(t, 'sstat', `cat <<'END'\n${steps.join('\n')}\nEND`);
}

const box = (id: string, more: object) =>
  answerOf(id, { job: '12', result: { state: 'running', pid: 7, identity: { user: 'alice', ...more } } });

t.test('jobs, their processes and their boxes, sorted as people count', async (t) => {
  slurm(t, ['12|12|alice|RUNNING|None|n[1-2]'], ['12.0|n1|100,101', '12.batch|n1|']);
  const { key, messages } = await fakeBoxes(t, channel, () => [
    box('b10', { step: '0', task: '10' }),
    box('b9', { step: '0', task: '9', node: 'nodename' }),
  ]);
  const { code, stdout, stderr } = await where(['--rkey', key, '--wait', '500ms', '12']);
  t.strictSame([code, stderr], [0, '']);
  t.equal(
    stdout,
    `job 12: RUNNING, user alice, nodes n[1-2]
job 12 step 0 on n1: pids 100 101
job 12 step batch on n1: pids none
job 12 step 0 task 10 on h: box b10, running, pid 7, user alice
job 12 step 0 task 9 on nodename (h): box b9, running, pid 7, user alice
`,
  );
  t.equal(messages.length, 1);
  t.equal(messages[0]!.fields.routingKey, `${key}.job.12`);
  t.match(JSON.parse(String(messages[0]!.content)), { command: 'status' });
});

t.test('the parts of a heterogeneous job share an address, and a part that waits is not asked', async (t) => {
  slurm(t, ['12|12+0|alice|RUNNING|None|n1', '13|12+1|alice|RUNNING|None|n2', '14|12_3|alice|PENDING|Resources|']);
  const { key, messages } = await fakeBoxes(t, channel, () => []);
  const { code, stdout } = await where(['--rkey', key, '--wait', '200ms', '12']);
  t.equal(code, 0, 'squeue knows it');
  t.match(stdout, /^job 12_3: PENDING \(Resources\), user alice, nodes none$/m);
  t.strictSame(
    messages.map(({ fields }) => fields.routingKey),
    [`${key}.job.12`],
  );
});

t.test('--json: the same for programs', async (t) => {
  slurm(t, ['12|12|alice|RUNNING|None|n1']);
  const { key } = await fakeBoxes(t, channel, () => [box('b', { step: '0' }), box('b', { step: 'twice' }), 'boo']);
  const { stdout } = await where(['--rkey', key, '--wait', '500ms', '--json', '12']);
  t.match(JSON.parse(stdout), {
    jobs: [{ job: '12', state: 'RUNNING', nodes: 'n1' }],
    steps: [],
    boxes: [{ box: 'b', step: '0', task: null, pid: 7 }],
  });
  t.notOk('unlisted' in JSON.parse(stdout));
});

t.test('a job that Slurm does not know may have boxes all the same', async (t) => {
  slurm(t, []);
  const { key } = await fakeBoxes(t, channel, () => [box('b', {})]);
  t.match(await where(['--rkey', key, '--wait', '500ms', 'mine']), {
    code: 0,
    stdout: 'job 12 on h: box b, running, pid 7, user alice\n',
    stderr: '',
  });
});

t.test('a job that is not found is reported with the reason', async (t) => {
  slurm(t, []);
  const wait = ['--wait', '100ms', '--rkey', unique('nobody')];
  for (const [words, said] of [
    [[...wait, '99'], 'error: job "99" was not found: squeue does not list it, and no box answered within 100 ms'],
    [['--uri', 'none', '99'], 'squeue does not list it, and no box was asked (--uri none)'],
    [
      [...wait, '7.batch'],
      'job "7.batch" was not found: Slurm names jobs differently (1234, 1234_7, 1234+1), and no box',
    ],
  ] as const) {
    const { code, stdout, stderr } = await where(words);
    t.strictSame([code, stdout], [2, '']);
    t.ok(stderr.includes(said), stderr);
    t.equal(stderr.split('\n').length, 2, 'one line');
  }
});

t.test('if Slurm or the broker cannot answer, there is a warning, and the other one counts', async (t) => {
  const noTools = await where(['--uri', 'none', '7'], { PATH: '/nowhere' });
  t.equal(noTools.code, 2);
  t.match(noTools.stderr, 'warn: squeue: not found in PATH (/nowhere)\n');
  t.match(noTools.stderr, 'squeue failed, and no box was asked');
  slurm(t, ['12|12|alice|RUNNING|None|n1']);
  slurmTool(t, 'sstat', 'echo "sstat: error: Permission denied" >&2; exit 1');
  const noBroker = await where(['--uri', 'amqp://127.0.0.1:1', '12']);
  t.match(noBroker, { code: 0, stdout: 'job 12: RUNNING, user alice, nodes n1\n' });
  t.match(noBroker.stderr, /^proc_box: warn: broker 127\.0\.0\.1:1: connection refused/m);
  t.match(noBroker.stderr, /^proc_box: warn: sstat: error: Permission denied$/m);
});

t.test('words that are no job', async (t) => {
  const usage = 'usage: proc_box where [options] <job>';
  for (const [words, said] of [
    [['--uri', 'none'], `no job given; ${usage}`],
    [['--wait', '1s'], `no job given; ${usage}`],
    [['5', '--json'], `expected one job and nothing after it: found "--json"; ${usage}`],
    [['--jsn', '5'], 'unknown option "--jsn"; did you mean --json?'],
  ] as const) {
    const { code, stderr } = await where(words);
    t.equal(code, 125);
    t.ok(stderr.includes(`proc_box: error: ${said}`), stderr);
  }
  for (const words of [[], ['--help']]) t.match(await where(words), { code: 0, stdout: /^usage: / }, words.join(' '));
});
