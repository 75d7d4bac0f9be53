import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants, openSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { connectWatcher, type Watcher } from './broker.js';
import { type Bench, interleave, median, ms, procBox, type Row } from './measure.js';

const ROUNDS = 40;
const TARGET = 1.6;

/** Time from publishing `kill` to the job's death, against its minimum: publish to consume, plus kill(2) to death. */
export function kill(bench: Bench): Promise<Row[]> {
  return killOf(bench, 'publish of kill to death of the job', ['-uri', bench.brokerUri]);
}

/** @param options of the box */
export async function killOf(bench: Bench, figure: string, options: readonly string[]): Promise<Row[]> {
  await using watcher = await connectWatcher(bench.brokerUri);
  const values = await interleave(bench.rounds(ROUNDS), {
    echo: () => watcher.roundTripMs(),
    signal: () => signalMs(bench),
    remote: () => remoteMs(bench, watcher, options),
  });
  const floor = values.echo.map((value, round) => value + (values.signal[round] as number));
  const ratio = median(values.remote) / median(floor);
  return [
    {
      figure,
      measured: ms(median(values.remote)),
      reference: `publish to consume ${ms(median(values.echo))} + kill(2) ${ms(median(values.signal))}`,
      ratio,
      target: `at most ${TARGET}`,
      pass: ratio <= TARGET,
    },
  ];
}

async function signalMs(bench: Bench): Promise<number> {
  const death = deathWatch(bench);
  const child = spawn(bench.probe, ['hold', death.fifo], { stdio: 'ignore' });
  await death.alive;
  const before = performance.now();
  child.kill('SIGKILL');
  return (await death.atMs) - before;
}

async function remoteMs(bench: Bench, watcher: Watcher, options: readonly string[]): Promise<number> {
  const death = deathWatch(bench);
  const first = watcher.sample((sample) => sample.Cause === 'start');
  const args = [...options, '--', bench.probe, 'hold', death.fifo];
  const box = spawn(procBox, args, { stdio: 'ignore' });
  const ended = once(box, 'exit');
  await death.alive;
  const { Identity } = await first;
  // Commands get lost until the queue is bound, which an answer to one proves.
  for (let bound = false; !bound; ) {
    const sample = watcher.sample((sample) => sample.Identity.box === Identity.box && sample.Cause === 'request', 200);
    watcher.command(Identity.box, 'sample');
    bound = await sample.then(
      () => true,
      () => false,
    );
  }
  const before = performance.now();
  watcher.command(Identity.box, 'kill');
  const atMs = await death.atMs;
  await ended;
  return atMs - before;
}

/** A FIFO with the job as its only writer: its reader sees the end when the kernel closes the dying job's descriptors. */
function deathWatch(bench: Bench): {
  readonly fifo: string;
  readonly alive: Promise<void>;
  readonly atMs: Promise<number>;
} {
  const fifo = join(bench.folder, 'fifo');
  rmSync(fifo, { force: true });
  execFileSync('mkfifo', [fifo]);
  const reader = new Socket({
    fd: openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK),
    readable: true,
    writable: false,
  });
  const alive = new Promise<void>((resolve) => reader.once('data', () => resolve()));
  const atMs = new Promise<number>((resolve) => reader.once('end', () => resolve(performance.now())));
  reader.resume();
  return { fifo, alive, atMs };
}
