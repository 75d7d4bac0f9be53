import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { type Bench, interleave, median, openedForWriting, pairedRatio, procBox, type Row } from './measure.js';

const ROUNDS = 15;
const BLOCK = 128 * 1024;
const FILE_BLOCKS = 8192; // 1 GiB, overwritten each time, because allocating pages would take most of the time
const PIPE_BLOCKS = 16384; // 2 GiB

/** Bytes per second of dd's stdout, by dd's own clock, so that the launch does not count. */
export async function stdout(bench: Bench): Promise<Row[]> {
  const file = join('/dev/shm', `proc_box-bench-${process.pid}`);
  const boxed = [procBox, '-uri', 'none', '--'];
  try {
    const toFile = await interleave(bench.rounds(ROUNDS), {
      bare: () => intoFile([], file),
      boxed: () => intoFile(boxed, file),
    });
    const toPipe = await interleave(bench.rounds(ROUNDS), {
      bare: () => throughPipe([]),
      boxed: () => throughPipe(boxed),
    });
    return [
      row('stdout to a file', toFile, 0.95, '1.0 within noise (at least 0.95)'),
      row('stdout through a pipe', toPipe, 0.9, 'at least 0.9'),
    ];
  } finally {
    spawnSync('rm', ['-f', file]);
  }
}

function row(figure: string, { bare, boxed }: { bare: number[]; boxed: number[] }, least: number, target: string): Row {
  const ratio = pairedRatio(boxed, bare);
  return { figure, measured: rate(boxed), reference: `bare: ${rate(bare)}`, ratio, target, pass: ratio >= least };
}

function rate(values: readonly number[]): string {
  return `${(median(values) / 1e9).toFixed(2)} GB/s`;
}

function intoFile(prefix: readonly string[], file: string): number {
  const [command, ...args] = [...prefix, ...dd(FILE_BLOCKS)] as [string, ...string[]];
  return openedForWriting(file, (fd) =>
    rateOf(spawnSync(command, args, { stdio: ['ignore', fd, 'pipe'], encoding: 'utf8' }).stderr),
  );
}

function throughPipe(prefix: readonly string[]): number {
  const words = [...prefix, ...dd(PIPE_BLOCKS)].map((word) => `'${word.replaceAll("'", "'\\''")}'`);
  const { stderr } = spawnSync('sh', ['-c', `${words.join(' ')} | cat >/dev/null`], {
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  });
  return rateOf(stderr);
}

function dd(blocks: number): string[] {
  return ['dd', 'if=/dev/zero', `bs=${BLOCK}`, `count=${blocks}`];
}

/** `2147483648 bytes (2.1 GB, 2.0 GiB) copied, 0.712 s, 3.0 GB/s` */
function rateOf(stderr: string): number {
  const found = /(\d+) bytes .*copied, ([\d.e+-]+) s/.exec(stderr);
  if (!found) throw new Error(`dd did not report its rate: ${stderr}`);
  return Number(found[1]) / Number(found[2]);
}
