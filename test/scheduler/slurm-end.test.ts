import t from 'tap';
import { askJobEnd } from '../../src/scheduler/slurm-end.js';
import { slurmTool } from '../fixtures/slurm-tools.js';

const IN_A_YEAR = Math.floor(Date.now() / 1000) + 365 * 86_400;
const ask = (signal = new AbortController().signal) => askJobEnd({ SLURM_JOB_ID: '12' }, signal);

t.test('the end of the job is what squeue says of this very job', async (t) => {
  const cases: readonly (readonly [string, number | null])[] = [
    ['12 1795448298 1:00:00', 1_795_448_298_000],
    ['11 1795440000 1:00:00\n12 1795448298 1:00:00\n13 1795450000 1:00:00', 1_795_448_298_000],
    ['12 NONE UNLIMITED', null],
    ['12 1795448298 UNLIMITED', null],
    ['12 NONE 1:00:00', null],
    [`12 ${IN_A_YEAR} NOT_SET`, null],
    ['12 1795448298 NOT_SET', 1_795_448_298_000],
    [`12 ${IN_A_YEAR} 365-00:00:00`, IN_A_YEAR * 1000],
  ];
  for (const [text, end] of cases) {
    await t.test(text.split('\n').length > 1 ? 'an array' : text, async (t) => {
      slurmTool(t, 'squeue', `cat <<'END'\n${text}\nEND`);
      t.equal(await ask(), end);
    });
  }
});

t.test("it is asked for with nothing of the user's own settings", async (t) => {
  process.env['SQUEUE_FORMAT'] = '%all';
  t.teardown(() => delete process.env['SQUEUE_FORMAT']);
  slurmTool(
    t,
    'squeue',
    '[ "$*" = "-h -j 12 -o %A %e %l" ] && [ -z "$SQUEUE_FORMAT" ] && echo "12 1795448298 $SLURM_TIME_FORMAT"',
  );
  t.equal(await ask(), 1_795_448_298_000);
});

t.test('without an answer there is an error that says why', async (t) => {
  const rejects = async (name: string, script: string, message: RegExp) =>
    await t.test(name, async (t) => {
      slurmTool(t, 'squeue', script);
      await t.rejects(ask(), { name: 'EnvironmentError', message });
    });
  await rejects('another answer', 'echo odd', /^squeue -j 12: its answer holds no end time: "odd\\n"$/);
  await rejects('an odd end', 'echo "12 N/A 1:00:00"', /its answer holds no end time/);
  await rejects(
    'a refusal',
    'echo "slurm_load_jobs error: Unable to contact slurm controller" >&2; echo more >&2; exit 1',
    /^squeue -h -j 12 -o %A %e %l: slurm_load_jobs error: Unable to contact slurm controller$/,
  );
  await rejects('a silent one', 'exit 3', /^squeue .*: Command failed/);
  await t.test('none at all', async (t) => {
    const { PATH } = process.env;
    process.env['PATH'] = t.testdir({});
    t.teardown(() => {
      process.env['PATH'] = PATH;
    });
    await t.rejects(ask(), { name: 'EnvironmentError', message: /ENOENT/ });
  });
  await t.test('nobody waits for it any more', async (t) => {
    slurmTool(t, 'squeue', 'exec sleep 100');
    await t.rejects(ask(AbortSignal.abort()), { name: 'EnvironmentError', message: /abort/i });
  });
});
