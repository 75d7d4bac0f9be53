import type { EventHead } from '../../../src/model/event.js';
import type { Sample } from '../../../src/model/sample.js';

const MIB = 2 ** 20;

/** A sample as one line for a person. */
export function sampleLine(body: Record<string, unknown>): string {
  const sample = body as unknown as Sample;
  const { rss } = sample.Memory;
  const { user, system } = sample.CPUTimes;
  const fields = [
    `sample ${String(sample.Sequence).padStart(3)}`,
    sample.State.padEnd(9),
    `${sample.Counts.processes} processes`,
    `CPU ${sample.CPUPercent.toFixed(0).padStart(3)} %`,
    `${(user + system).toFixed(2)} s`,
    `memory ${(rss / MIB).toFixed(0)} MiB (peak ${(sample.MemoryPeak.rss / MIB).toFixed(0)})`,
    `written ${(sample.IOCounters.write_bytes / MIB).toFixed(0)} MiB`,
    `stdout ${sample.StdoutBytes} B`,
    `timer ${(sample.Timer.elapsed_ms / 1000).toFixed(1)} s`,
  ];
  return `  ${fields.join('  ')}`;
}

/** An event as one line for a person: its name and its specific fields. */
export function eventLine(body: Record<string, unknown>): string {
  const { version, sequence, time, identity, state, event, ...own } = body as unknown as EventHead & { event: string };
  const text = JSON.stringify(own);
  return `  event  ${String(sequence).padStart(3)}  ${event}  ${text.length > 160 ? `${text.slice(0, 160)} ...` : text}`;
}
