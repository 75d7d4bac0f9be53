import { spawnSync } from 'node:child_process';
import { type Bench, procBox, type Row } from './measure.js';

const CPUS = 0.5;
const SECONDS = 10;
const TOLERANCE = 0.05;

/** The share of a CPU that a job gets under --cpus 0.5 if it never waits. */
export async function cpus(bench: Bench): Promise<Row[]> {
  const seconds = Math.max(3, bench.rounds(SECONDS));
  // The second line of the shell's `times`: user and system time of the children.
  const script = `timeout ${seconds} sh -c 'while :; do :; done'; times`;
  const options = ['-uri', 'none', '--config', 'none', '--cpus', String(CPUS), '--enforce', 'strict'];
  const { stdout } = spawnSync(procBox, [...options, '--', 'sh', '-c', script], { encoding: 'utf8' });
  const used = [...(stdout.split('\n')[1] ?? '').matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, [, min, sec]) => sum + Number(min) * 60 + Number(sec),
    0,
  );
  const ratio = used / seconds / CPUS;
  return [
    {
      figure: `--cpus ${CPUS} over ${seconds} s`,
      measured: `${(used / seconds).toFixed(3)} of a core`,
      reference: `${CPUS}`,
      ratio,
      target: 'within 5 %',
      pass: Math.abs(ratio - 1) <= TOLERANCE,
    },
  ];
}
