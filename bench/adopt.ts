import { spawn } from 'node:child_process';
import { type Bench, interleave, median, ms, node, pairedRatio, procBox, type Row, runOnce } from './measure.js';

const ROUNDS = 40;
const TARGET = 1.3;

/** `proc_box adopt --detach`: what a prolog waits for until the process is in its box. */
export async function adopt(bench: Bench): Promise<Row[]> {
  const boxed = (...options: string[]) => {
    const target = spawn('sleep', ['600'], { stdio: 'ignore' });
    try {
      const words = ['adopt', '--detach', '--pid', String(target.pid), '-uri', 'none', '--config', 'none', ...options];
      return runOnce(bench, [procBox, ...words]).wallMs;
    } finally {
      target.kill('SIGKILL');
    }
  };
  const values = await interleave(bench.rounds(ROUNDS), {
    node: () => runOnce(bench, [node, '-e', '0']).wallMs,
    plain: () => boxed('--cgroup', 'off', '--rlimit', 'nofile=1000:1000'),
    limits: () => boxed('--rlimit', 'nofile=1000:1000', '--pids', '500', '--memory', '1G'),
  });
  return (['plain', 'limits'] as const).map((name) => {
    const ratio = pairedRatio(values[name], values.node);
    return {
      figure: `adopt: until boxed${name === 'limits' ? ', with 2 limits of control groups' : ', rlimits only'}`,
      measured: ms(median(values[name])),
      reference: `node -e 0: ${ms(median(values.node))}`,
      ratio,
      target: `at most ${TARGET} x`,
      pass: ratio <= TARGET,
    };
  });
}
