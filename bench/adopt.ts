import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { type Bench, interleave, median, ms, node, pairedRatio, procBox, type Row, runOnce } from './measure.js';

const ROUNDS = 40;
const TARGET = 1.3;
const LIMITS = ['--rlimit', 'nofile=1000:1000', '--pids', '500', '--memory', '1G'];
const CASES = {
  plain: 'rlimits only',
  limits: 'with 2 limits of control groups',
  agent: 'by an agent, rlimits only',
  agentLimits: 'by an agent, with 2 limits of control groups',
};

/** `proc_box adopt --detach`: how long a prolog waits until the process is in its box. */
export async function adopt(bench: Bench): Promise<Row[]> {
  const own = join(bench.folder, 'own');
  mkdirSync(own, { mode: 0o700 });
  const socket = join(own, 'socket');
  const words = ['agent', '--user', '--socket', socket, '--uri', 'none', '--config', 'none'];
  const agent = spawn(procBox, words, { stdio: 'ignore' });
  while (!existsSync(socket)) await setTimeout(5);
  try {
    return await measure(bench, socket);
  } finally {
    agent.kill('SIGTERM');
    await once(agent, 'exit');
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
    agent: () => boxed('--agent', socket, '--cgroup', 'off', '--rlimit', 'nofile=1000:1000'),
    agentLimits: () => boxed('--agent', socket, ...LIMITS),
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
