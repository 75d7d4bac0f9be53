import { connectWatcher } from './broker.js';
import {
  type Bench,
  findPeer,
  interleave,
  MARK,
  median,
  ms,
  node,
  pairedRatio,
  procBox,
  type Row,
  runOnce,
} from './measure.js';

const ROUNDS = 60;

/** Time to the job's first instruction, and the whole wall time of /bin/true. */
export async function launch(bench: Bench): Promise<Row[]> {
  return [...(await firstInstruction(bench)), ...(await wholeWall(bench))];
}

async function firstInstruction(bench: Bench): Promise<Row[]> {
  const first =
    (...argv: string[]) =>
    () =>
      runOnce(bench, [...argv, MARK]).firstMs;
  const values = await interleave(bench.rounds(ROUNDS), {
    node: () => runOnce(bench, [node, '-e', '0']).wallMs,
    bare: first(),
    none: first(procBox, '-uri', 'none', '--'),
    broker: first(procBox, '-uri', bench.brokerUri, '--'),
  });
  const row = (name: 'none' | 'broker', figure: string): Row => {
    const ratio = pairedRatio(values[name], values.node);
    return {
      figure,
      measured: ms(median(values[name])),
      reference: `node -e 0: ${ms(median(values.node))}; bare: ${ms(median(values.bare))}`,
      ratio,
      target: 'at most 1.15',
      pass: ratio <= 1.15,
    };
  };
  return [row('none', 'first instruction, -uri none'), row('broker', 'first instruction, broker')];
}

async function wholeWall(bench: Bench): Promise<Row[]> {
  await using watcher = await connectWatcher(bench.brokerUri);
  const wall =
    (...argv: string[]) =>
    () =>
      runOnce(bench, [...argv, '/bin/true']).wallMs;
  const peers: Record<string, () => number> = {};
  for (const [name, args] of Object.entries(PEERS)) {
    const path = findPeer(name);
    if (path) peers[name] = wall(path, ...args);
  }
  const rounds = bench.rounds(ROUNDS);
  const values = await interleave(rounds, {
    node: () => runOnce(bench, [node, '-e', '0']).wallMs,
    bare: wall(),
    none: wall(procBox, '-uri', 'none', '--'),
    broker: wall(procBox, '-uri', bench.brokerUri, '--'),
    ...peers,
  });
  const delivered = await watcher.finals(rounds + 1);
  const row = (name: 'none' | 'broker', figure: string, limit: number): Row => {
    const ratio = pairedRatio(values[name], values.node);
    return {
      figure,
      measured: ms(median(values[name])),
      reference: `node -e 0: ${ms(median(values.node))}`,
      ratio,
      target: `at most ${limit}`,
      pass: ratio <= limit,
    };
  };
  return [
    row('none', 'wall time of /bin/true, -uri none', 1.5),
    row('broker', 'wall time of /bin/true, broker', 4),
    {
      figure: 'its first and final samples delivered',
      measured: `${delivered.firsts} and ${delivered.finals}`,
      reference: `${rounds + 1} runs`,
      target: 'all',
      pass: delivered.firsts === rounds + 1 && delivered.finals === rounds + 1,
    },
    ...['bare', ...Object.keys(peers)].map((name) => ({
      figure: `wall time of /bin/true, ${name}`,
      measured: ms(median((values as Record<string, number[]>)[name] as number[])),
      reference: '',
    })),
  ];
}

const PEERS: Readonly<Record<string, readonly string[]>> = {
  timeout: ['100'],
  tini: ['-s', '--'],
  'dumb-init': ['--'],
  prlimit: ['--nofile=1024'],
};
