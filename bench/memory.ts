import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connectWatcher } from './broker.js';
import { type Bench, childrenOf, kilobyteField, mib, procBox, type Row } from './measure.js';

const MIB = 2 ** 20;
const KEEPER_MIB = 1;
const WRAPPER_MIB = 24;
const SAMPLES = 10;

/** Resident memory of the keeper and private memory of the wrapper, while the box publishes samples. */
export async function memory(bench: Bench): Promise<Row[]> {
  await using watcher = await connectWatcher(bench.brokerUri);
  const box = spawn(procBox, ['-uri', bench.brokerUri, '-sint', '200ms', '--', 'sleep', '600'], { stdio: 'ignore' });
  const wrapper = box.pid as number;
  for (let i = 0; i < SAMPLES; i += 1) await watcher.sample((sample) => sample.Cause === 'interval');
  const [keeper] = childrenOf(wrapper);
  if (keeper === undefined) throw new Error('the wrapper has no keeper among its children');
  const keeperBytes = kilobyteField(keeper, 'status', 'VmRSS');
  const privateBytes =
    kilobyteField(wrapper, 'smaps_rollup', 'Private_Clean') + kilobyteField(wrapper, 'smaps_rollup', 'Private_Dirty');
  const residentBytes = kilobyteField(wrapper, 'status', 'VmRSS');
  box.kill('SIGTERM');
  await once(box, 'exit');
  return [
    {
      figure: 'keeper, resident',
      measured: mib(keeperBytes),
      reference: '',
      target: `under ${KEEPER_MIB} MiB`,
      pass: keeperBytes < KEEPER_MIB * MIB,
    },
    {
      figure: 'wrapper, private, broker connected',
      measured: mib(privateBytes),
      reference: `resident: ${mib(residentBytes)}`,
      target: `at most ${WRAPPER_MIB} MiB`,
      pass: privateBytes <= WRAPPER_MIB * MIB,
    },
  ];
}
