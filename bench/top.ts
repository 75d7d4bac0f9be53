import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { exitedMessage, sampleMessage } from '../test/fixtures/observed.js';
import { Load } from './collector/load.js';
import {
  type Bench,
  Cleanup,
  childrenOf,
  cpuMsOf,
  interleave,
  median,
  ms,
  node,
  procBox,
  type Row,
  runOnce,
} from './measure.js';

/** What the terminal tools cost: `proc_box top` while 1,000 boxes publish, and one `proc_box report`. */

const BOXES = 1_000;
const INTERVAL_SEC = 10;
const WARM_MS = 5_000;
const TARGET_PERCENT = 2;
const REPORT_TARGET_MS = 100;

export async function top(bench: Bench): Promise<Row[]> {
  await using cleanup = new Cleanup();
  const load = await Load.connect(bench.brokerUri, BOXES);
  cleanup.defer(() => load.close());
  await load.publish(BOXES);
  // script(1) is the terminal.
  const command = `${procBox} top --config none --uri ${bench.brokerUri} --interval 1s`;
  const environment = { ...process.env, TERM: 'xterm-256color', LANG: 'C.UTF-8' };
  const screen = spawn('script', ['-qfc', command, '/dev/null'], {
    env: environment,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  cleanup.defer(async () => {
    screen.stdin.write('q');
    await Promise.race([once(screen, 'close'), sleep(5_000)]);
    screen.kill('SIGKILL');
  });
  let bytes = 0;
  screen.stdout.on('data', (part: Buffer) => (bytes += part.length));
  let publishing = true;
  const done = publishSteadily(load, () => publishing);
  await sleep(WARM_MS);
  const pid = nodeBelow(screen.pid!);
  const [before, began, written] = [cpuMsOf(pid), performance.now(), bytes];
  await sleep(bench.rounds(30) * 1_000);
  const wallMs = performance.now() - began;
  const percent = (100 * (cpuMsOf(pid) - before)) / wallMs;
  publishing = false;
  await done;
  return [
    {
      figure: `top, ${BOXES} boxes, a sample every ${INTERVAL_SEC} s`,
      measured: `${percent.toFixed(2)} % of a core`,
      reference: `${((bytes - written) / wallMs).toFixed(1)} kB/s to the terminal`,
      target: `at most ${TARGET_PERCENT} %`,
      pass: percent <= TARGET_PERCENT,
    },
    await reportRow(bench),
  ];
}

async function publishSteadily(load: Load, goesOn: () => boolean): Promise<void> {
  const perTick = BOXES / INTERVAL_SEC / 10;
  while (goesOn()) {
    await load.publish(perTick);
    await sleep(100);
  }
}

/** The Node of the front end that script(1) has started. */
function nodeBelow(pid: number): number {
  const [front] = childrenOf(pid)
    .flatMap((child) => [child, ...childrenOf(child)])
    .slice(-1);
  const below = [...childrenOf(pid), front!].flatMap((one) => childrenOf(one));
  return below.reduce((most, one) => (cpuMsOf(one) > cpuMsOf(most) ? one : most));
}

/** A job of 16 boxes, from a file with their last samples and end reports. */
async function reportRow(bench: Bench): Promise<Row> {
  const path = join(bench.folder, 'messages.jsonl');
  const messages = Array.from({ length: 16 }, (_, index) => ({
    box: `b${index}`,
    job: '1234',
    host: `n${index % 4}`,
  })).flatMap((who) => [sampleMessage(who, 8, Date.now()), exitedMessage(who, 9, Date.now())]);
  writeFileSync(path, messages.map((message) => `${JSON.stringify(message)}\n`).join(''));
  const times = await interleave(bench.rounds(30), {
    report: () => runOnce(bench, [procBox, 'report', '1234', path]).wallMs,
    node: () => runOnce(bench, [node, '-e', '0']).wallMs,
  });
  const measured = median(times.report);
  return {
    figure: 'report, 16 boxes from a file',
    measured: ms(measured),
    reference: `node -e 0: ${ms(median(times.node))}`,
    ratio: measured / median(times.node),
    target: `at most ${REPORT_TARGET_MS} ms`,
    pass: measured <= REPORT_TARGET_MS,
  };
}
