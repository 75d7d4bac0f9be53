// test-timeout: 300s
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { PROC_BOX, job as program } from '../fixtures/run.js';
import { type BatchJob, type Slurm, slurmCluster, withoutSlurm } from '../fixtures/slurm.js';

/** Every signal that Slurm sends, with both ways of tracking processes: what the job gets of it and what is told. */

const box = (options: string, words: readonly string[]) =>
  `exec ${PROC_BOX} --nowarn --report ${options} -- ${words.join(' ')}`;

/** What the job wrote about the signals that it got, and how it ended. */
interface Told {
  readonly signals: readonly string[];
  readonly fields: Readonly<Record<string, string>>;
  readonly stderr: string;
}

async function told(job: BatchJob, timeoutMs?: number): Promise<Told> {
  const fields = await job.ended(timeoutMs);
  return { signals: job.stdout().trim().split('\n').slice(1), fields, stderr: job.stderr() };
}

const count = ({ signals }: Told, name: string) => signals.filter((signal) => signal === name).length;

type Scenario = (slurm: Slurm) => Promise<(t: Test) => void>;

/** A scenario acts at once with all others of its cluster; what it returns asserts when all are done. */
const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'scancel: TERM once, and the job ends by itself': async (slurm) => {
    const job = await slurm.sbatch(box('', program('signal-log.py')));
    await job.says('ready');
    await slurm.command('scancel', job.id);
    const result = await told(job);
    return (t) => {
      t.equal(count(result, 'SIGTERM'), 1);
      t.equal(count(result, 'SIGCONT') <= 1, true, `${result.signals}`);
      t.equal(result.fields['ExitCode'], '40:0');
      t.match(result.stderr, /ended +scheduler: code 40/);
    };
  },

  'scancel of a job that stays: killed and reported inside of KillWait': async (slurm) => {
    const job = await slurm.sbatch(box('', program('signal-log.py', 'stay')));
    await job.says('ready');
    await slurm.command('scancel', job.id);
    await slurm.command('scancel', job.id);
    const result = await told(job);
    return (t) => {
      t.match(result.stderr, /ended +scheduler: SIGKILL/, 'the report was written before Slurm killed the wrapper');
      t.match(result.stderr, /Task elapsed time/);
      t.ok(count(result, 'SIGTERM') >= 1);
      t.ok(count(result, 'SIGTERM') <= 2, 'repeated TERM is harmless');
    };
  },

  'scancel --batch and --full: USR1 and USR2 once each': async (slurm) => {
    const job = await slurm.sbatch(box('', program('signal-log.py')));
    await job.says('ready');
    await slurm.command('scancel', '--batch', '-s', 'USR1', job.id);
    await job.says('SIGUSR1');
    await slurm.command('scancel', '--full', '-s', 'USR2', job.id);
    await job.says('SIGUSR2');
    await slurm.command('scancel', job.id);
    const result = await told(job);
    return (t) => {
      t.equal(count(result, 'SIGUSR1'), 1);
      t.equal(count(result, 'SIGUSR2'), 1);
      t.equal(count(result, 'SIGTERM'), 1);
    };
  },

  'scancel -s: USR1 reaches the job of a step once': async (slurm) => {
    const words = ['srun', '-n1', '--job-name=step', PROC_BOX, '--nowarn', '--', ...program('signal-log.py')];
    const client = slurm.start(words);
    await slurm.until(() => client.stdout().includes('ready'), 'the step is ready');
    const id = (await slurm.command('squeue', '-h', '-o', '%A', '-n', 'step')).trim();
    await slurm.command('scancel', '-s', 'USR1', id);
    await slurm.until(() => client.stdout().includes('SIGUSR1'), 'the step has got USR1');
    await slurm.command('scancel', id);
    const { stdout } = await client.done;
    return (t) => {
      const signals = stdout.trim().split('\n');
      t.equal(signals.filter((signal) => signal === 'SIGUSR1').length, 1);
      t.equal(signals.filter((signal) => signal === 'SIGTERM').length, 1);
    };
  },

  'scancel of a step: killed at once, and nothing is left': async (slurm) => {
    const job = await slurm.sbatch(
      `srun -n1 ${PROC_BOX} --nowarn -- ${program('signal-log.py').join(' ')}; echo step ended with $?`,
    );
    await job.says('ready');
    const steps = () => slurm.command('squeue', '-h', '-s', '-j', job.id, '-o', '%i');
    await slurm.until(async () => (await steps()).split('\n').includes(`${job.id}.0`), 'the controller knows the step');
    const cancelled = await slurm.run(['scancel', `${job.id}.0`]);
    const { fields } = await told(job);
    const left = await steps();
    return (t) => {
      // scancel asks again while the step is ending, and is told that there is none.
      const late =
        /^(?:scancel: error: )?Kill job error on job step id \d+(?:\.0)?: (Invalid job id|Job\/step already compl).*\n$/;
      if (cancelled.code !== 0) t.match(cancelled.stderr, late);
      t.equal(fields['JobState'], 'COMPLETED');
      t.match(job.stdout(), /^step ended with (137|143)$/m, job.stderr());
      t.equal(left, '');
    };
  },

  'suspend and resume: the timer waits, and both are told afterwards': async (slurm) => {
    const job = await slurm.sbatch(
      box('--timeout 12s', ['sh', '-c', "'echo ready; exec sleep 300'"]).replace('--nowarn ', ''),
    );
    await job.says('ready');
    await slurm.command('scontrol', 'suspend', job.id);
    await new Promise((resolve) => setTimeout(resolve, 8000)); // so long does the limit wait
    await slurm.command('scontrol', 'resume', job.id);
    const { stderr } = await told(job);
    return (t) => {
      t.match(stderr, /SIGTSTP has suspended the job; SIGCONT resumes it/);
      t.match(stderr, /\d\.\d+ s of it suspended/);
      t.match(stderr, /ended +timeout/);
      const elapsed = Number(/Task elapsed time: (\d+\.\d+)/.exec(stderr)?.[1]);
      t.ok(elapsed > 18, `the limit of 12 s came after the suspension: ${elapsed} s`);
    };
  },

  'requeue: the job is told to end and comes back with its restart count': async (slurm) => {
    const job = await slurm.sbatch(
      `[ -n "$SLURM_RESTART_COUNT" ] && exec ${PROC_BOX} --report -- echo again\n${box('', program('signal-log.py'))}`,
      ['--requeue', '--open-mode=append'],
    );
    await job.says('ready');
    await slurm.command('scontrol', 'requeue', job.id);
    await slurm.until(async () => (await job.state()) === 'PENDING', 'the job waits again');
    await slurm.command('scontrol', 'update', `JobId=${job.id}`, 'StartTime=now');
    await job.says('again');
    const result = await told(job);
    return (t) => {
      t.equal(count(result, 'SIGTERM'), 1);
      t.match(result.stderr, /scheduler .*restart 1/);
    };
  },

  '--signal=B:USR1@: once, to the batch step': async (slurm) => {
    const job = await slurm.sbatch(box('', program('signal-log.py')), ['--time=1', '--signal=B:USR1@60']);
    await job.says('SIGUSR1', 60_000);
    await slurm.command('scancel', job.id);
    const result = await told(job);
    return (t) => t.equal(count(result, 'SIGUSR1'), 1);
  },

  '--timeout scheduler: the box stops itself before Slurm does, and says why': async (slurm) => {
    const go = join(slurm.work, 'go');
    const words = program('signal-log.py', 'stay');
    const job = await slurm.sbatch(
      `echo waiting; until [ -e ${go} ]; do sleep 0.1; done\n${box('--timeout scheduler --grace 1s', words)}`,
      ['--time=1'],
    );
    await job.says('waiting');
    await slurm.command('scontrol', 'update', `JobId=${job.id}`, 'EndTime=now+20');
    writeFileSync(go, '');
    const result = await told(job, 90_000);
    return (t) => {
      t.match(result.stderr, /ended +timeout: SIGKILL/);
      t.strictSame(result.signals.slice(1), ['SIGTERM'], 'it was over before Slurm had to ask');
      t.equal(result.fields['JobState'], 'FAILED');
      t.equal(result.fields['ExitCode'], '124:0');
    };
  },

  'time limit: TERM, and the reason is the scheduler': async (slurm) => {
    const job = await slurm.sbatch(box('', program('signal-log.py')), ['--time=1']);
    await job.says('ready');
    await slurm.command('scontrol', 'update', `JobId=${job.id}`, 'EndTime=now+2');
    const result = await told(job, 90_000);
    return (t) => {
      t.equal(result.fields['JobState'], 'TIMEOUT');
      t.equal(count(result, 'SIGTERM'), 1);
      t.match(result.stderr, /ended +scheduler: code 40/);
    };
  },
};

// The clusters run side by side: Slurm looks at time limits every 30 s only.
const PROCTRACKS = ['cgroup', 'linuxproc'] as const;
const running = new Map(
  PROCTRACKS.filter((proctrack) => withoutSlurm(proctrack) === false).map((proctrack) => [
    proctrack,
    runScenarios(proctrack),
  ]),
);

async function runScenarios(proctrack: (typeof PROCTRACKS)[number]) {
  const slurm = await slurmCluster(t, { proctrack });
  return await Promise.all(
    Object.entries(SCENARIOS).map(async ([name, scenario]) => {
      const outcome = await scenario(slurm).catch((error: Error) => error);
      return [name, outcome] as const;
    }),
  );
}

for (const proctrack of PROCTRACKS) {
  t.test(`proctrack/${proctrack}`, { skip: withoutSlurm(proctrack) }, async (t) => {
    for (const [name, outcome] of (await running.get(proctrack))!) {
      t.test(name, async (t) => {
        if (outcome instanceof Error) throw outcome;
        outcome(t);
      });
    }
  });
}
