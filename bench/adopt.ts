import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type Bench, interleave, median, ms, node, pairedRatio, procBox, type Row, runOnce } from './measure.js';

const ROUNDS = 40;
const TARGET = 1.3;
const LIMITS = ['--rlimit', 'nofile=1000:1000', '--pids', '500', '--memory', '1G'];
const CASES = {
  plain: 'rlimits only',
  limits: 'with 2 limits of control groups',
  via: 'by a supervisor, rlimits only',
  viaLimits: 'by a supervisor, with 2 limits of control groups',
};

/** `proc_box adopt --detach`: how long a prolog waits until the process is in its box; with `--via` a supervisor makes the box. */
export async function adopt(bench: Bench): Promise<Row[]> {
  const own = join(bench.folder, 'own');
  mkdirSync(own, { mode: 0o700 });
  const socket = join(own, 'socket');
  const supervisor = Number(execFileSync(procBox, ['adopt', '--serve', socket], { encoding: 'utf8' }));
  try {
    return await measure(bench, socket);
  } finally {
    process.kill(supervisor, 'SIGTERM');
    // The supervisor listens until it ends, so a client without an answer notices its end.
    await once(
      connect(socket).on('error', () => {}),
      'close',
    );
  }
}

async function measure(bench: Bench, socket: string): Promise<Row[]> {
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
    limits: () => boxed(...LIMITS),
    via: () => boxed('--via', socket, '--cgroup', 'off', '--rlimit', 'nofile=1000:1000'),
    viaLimits: () => boxed('--via', socket, ...LIMITS),
  });
  return (Object.keys(CASES) as (keyof typeof CASES)[]).map((name) => {
    const ratio = pairedRatio(values[name], values.node);
    return {
      figure: `adopt: until boxed, ${CASES[name]}`,
      measured: ms(median(values[name])),
      reference: `node -e 0: ${ms(median(values.node))}`,
      ratio,
      target: `at most ${TARGET} x`,
      pass: ratio <= TARGET,
    };
  });
}
