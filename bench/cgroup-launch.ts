import { type Bench, interleave, MARK, median, ms, procBox, type Row, runOnce } from './measure.js';

const ROUNDS = 60;
const TARGET_MS = 2;
const LIMITS = ['--memory', '1G', '--pids', '500', '--cpus', '2'];

/** Time that control groups add to the launch: until the job's first instruction, and to the wall time of /bin/true. */
export async function cgroupLaunch(bench: Bench): Promise<Row[]> {
  const options = ['-uri', 'none', '--config', 'none'];
  const cases = { off: ['--cgroup', 'off'], auto: [], limits: LIMITS };
  const rows: Row[] = [];
  for (const [what, job, read] of [
    ['first instruction', MARK, 'firstMs'],
    ['wall time of /bin/true', '/bin/true', 'wallMs'],
  ] as const) {
    const time = (more: readonly string[]) => () => runOnce(bench, [procBox, ...options, ...more, '--', job])[read];
    const values = await interleave(bench.rounds(ROUNDS), {
      off: time(cases.off),
      auto: time(cases.auto),
      limits: time(cases.limits),
    });
    for (const name of ['auto', 'limits'] as const) {
      const added = median(values[name].map((value, round) => value - (values.off[round] as number)));
      rows.push({
        figure: `${what}, added by groups${name === 'auto' ? '' : ` and ${LIMITS.length / 2} limits`}`,
        measured: ms(added),
        reference: `${ms(median(values[name]))}; --cgroup off: ${ms(median(values.off))}`,
        target: `at most ${TARGET_MS} ms`,
        pass: added <= TARGET_MS,
      });
    }
  }
  return rows;
}
