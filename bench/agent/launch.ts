import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { connectWatcher } from '../broker.js';
import { type Bench, interleave, MARK, median, ms, node, procBox, type Row, runOnce } from '../measure.js';
import { startAgent } from './start.js';

const ROUNDS = 60;
const AT_ONCE = 16;
const FIRST_MS = 4;
const EACH_MS = 1.5;
const WALL_MS = 12;
/** Boxes before the first that counts: a node's agent has served some already. */
const WARM = 60;

/** What a box through an agent adds to the time until the job's first instruction, alone and many at once; the whole wall time. */
export async function agentLaunch(bench: Bench): Promise<Row[]> {
  await using none = await startAgent(bench, 'none');
  await using linked = await startAgent(bench, bench.brokerUri);
  await using watcher = await connectWatcher(bench.brokerUri);
  const ways = {
    bare: [],
    none: [procBox, ...none.options, '-uri', 'none', '--'],
    broker: [procBox, ...linked.options, '--'],
  };
  for (let i = 0; i < WARM; i++) for (const way of [ways.none, ways.broker]) runOnce(bench, [...way, '/bin/true']);
  const first = (way: readonly string[]) => () => runOnce(bench, [...way, MARK]).firstMs;
  const alone = await interleave(bench.rounds(ROUNDS), {
    node: () => runOnce(bench, [node, '-e', '0']).wallMs,
    bare: first(ways.bare),
    none: first(ways.none),
    broker: first(ways.broker),
  });
  const atOnce = await interleave(bench.rounds(ROUNDS), {
    bare: () => manyMs(bench, ways.bare),
    none: () => manyMs(bench, ways.none),
    broker: () => manyMs(bench, ways.broker),
  });
  const { firsts: before } = await watcher.finals(2 * WARM);
  const wall = await interleave(bench.rounds(ROUNDS), {
    node: () => runOnce(bench, [node, '-e', '0']).wallMs,
    bare: () => runOnce(bench, ['/bin/true']).wallMs,
    none: () => runOnce(bench, [...ways.none, '/bin/true']).wallMs,
    broker: () => runOnce(bench, [...ways.broker, '/bin/true']).wallMs,
  });
  const runs = WARM + (bench.rounds(ROUNDS) + 1) * (AT_ONCE + 2);
  const delivered = await watcher.finals(runs);
  return [
    ...(['none', 'broker'] as const).flatMap((name) => [
      addedRow(`first instruction, agent, ${name}: added`, alone, name, FIRST_MS),
      addedRow(`the same, ${AT_ONCE} at once: added for each`, atOnce, name, EACH_MS),
      wallRow(`wall time of /bin/true, agent, ${name}`, wall, name),
    ]),
    {
      figure: 'first and final samples through the agent delivered',
      measured: `${delivered.firsts} and ${delivered.finals}`,
      reference: `${runs} runs; ${before} before the last part`,
      target: 'all',
      pass: delivered.firsts === runs && delivered.finals === runs,
    },
  ];
}

type Values = Readonly<Record<'bare' | 'none' | 'broker', number[]> & { node?: number[] }>;

function addedRow(figure: string, values: Values, name: 'none' | 'broker', mostMs: number): Row {
  const added = median(values[name].map((value, round) => value - (values.bare[round] as number)));
  return {
    figure,
    measured: ms(added),
    reference: `bare: ${ms(median(values.bare))}${values.node ? `; node -e 0: ${ms(median(values.node))}` : ''}`,
    ...(values.node && { ratio: added / median(values.node) }),
    target: `at most ${mostMs} ms`,
    pass: added <= mostMs,
  };
}

function wallRow(figure: string, values: Values, name: 'none' | 'broker'): Row {
  const wallMs = median(values[name]);
  return {
    figure,
    measured: ms(wallMs),
    reference: `bare: ${ms(median(values.bare))}; node -e 0: ${ms(median(values.node ?? []))}`,
    ratio: wallMs / median(values.node ?? []),
    target: `at most ${WALL_MS} ms`,
    pass: wallMs <= WALL_MS,
  };
}

/** From before the first start to the last first instruction, for each of them. */
function manyMs(bench: Bench, way: readonly string[]): number {
  const result = join(bench.folder, 'many');
  const marks = join(bench.folder, 'marks');
  rmSync(marks, { force: true });
  spawnSync(bench.probe, ['many', String(AT_ONCE), result, ...way, bench.probe, 'marks', marks], { stdio: 'ignore' });
  const [before, , failed] = readFileSync(result, 'utf8').split(' ').map(Number) as [number, number, number];
  if (failed !== 0) throw new Error(`${way.join(' ')}: ${failed} of ${AT_ONCE} failed`);
  const times = readFileSync(marks, 'utf8').trim().split('\n').map(Number);
  return (Math.max(...times) - before) / 1e6 / AT_ONCE;
}
