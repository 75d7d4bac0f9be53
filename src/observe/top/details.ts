import { amount, bytes, duration } from '../../options/amounts.js';
import type { ObservedPressure, ObservedSample } from '../model/observed.js';
import { limitText } from '../source/words.js';
import { cellText } from '../terminal/cells.js';
import type { Look } from '../terminal/look.js';
import type { Span, Style } from '../terminal/style.js';
import { memoryStyle, percent, rate, stateStyle } from './columns.js';
import { jobName, type TopRow } from './row.js';
import type { Tracked } from './tracked.js';

/** Everything that is known of one box. */

const NAME = 14;

/** @param row undefined if the filters hide the box, or if it has gone */
export function detailLines(box: Tracked | undefined, row: TopRow | undefined, look: Look): Span[][] {
  if (box === undefined || row === undefined) return [[{ text: 'this box is no longer in the table' }]];
  const { sample, identity } = box;
  const safe = (text: string) => cellText(text, look.utf8);
  const field = (name: string, text: string, style: Style = 'plain'): Span[] => [
    { text: name.padEnd(NAME), style: 'bold' },
    { text: safe(text), style },
  ];
  const place = [identity.node === null || identity.node === identity.host ? '' : ` (node ${identity.node})`];
  const scheduler = [identity.scheduler, identity.cluster, identity.queue].filter((part) => part !== null).join(', ');
  return [
    field('job', `${jobName(row)}, user ${identity.user}, on ${identity.host}${place}`),
    field('box', `${identity.box}, ${scheduler}${identity.restart > 0 ? `, restart ${identity.restart}` : ''}`),
    field('command', row.command ?? 'not known'),
    field('state', `${row.state}, last heard from ${duration(row.age_ms)} ago`, stateStyle(row)),
    ...(sample === null ? [[{ text: 'no sample yet' }]] : measured(sample, row, field)),
    ...(sample === null ? [] : limitLines(sample, safe)),
    ...(sample === null ? [] : processLines(sample, safe)),
  ];
}

type Field = (name: string, text: string, style?: Style) => Span[];

function measured(sample: ObservedSample, row: TopRow, field: Field): Span[][] {
  const of = (limit: number | null, unit: 'ms' | 'bytes') =>
    limit === null ? ', no limit' : ` of ${amount(limit, unit)}`;
  const cores = row.cpu_limit === null ? '' : `, limit ${row.cpu_limit} cores`;
  const throttled = row.throttled_ms === null ? '' : `, throttled for ${duration(row.throttled_ms)}`;
  const kills = row.oom_kills ?? 0;
  const { pressure, pressureScope } = sample;
  return [
    field('time', row.used_ms === null ? 'not known' : `${duration(row.used_ms)}${of(row.limit_ms, 'ms')}`),
    field('CPU', `${percent(row.cpu_percent)} % of a core${cores}${throttled}`),
    field('CPU time', `${duration(sample.userSec * 1000)} user, ${duration(sample.systemSec * 1000)} system`),
    field(
      'memory',
      `${bytes(sample.rssBytes)} now, ${bytes(sample.rssPeakBytes)} at most${of(row.memory_limit, 'bytes')}`,
      memoryStyle(row),
    ),
    field(
      'with cache',
      `${bytes(sample.memoryBytes)} now, ${bytes(sample.memoryPeakBytes)} at most; swap ${bytes(sample.swapBytes)}`,
    ),
    ...(kills > 0 ? [field('OOM', `the kernel has killed ${kills} processes`, 'alarm')] : []),
    field('read', `${bytes(sample.readBytes)} from storage, ${rate(row.read_rate)}/s`),
    field(
      'written',
      `${bytes(sample.writeBytes)} to storage, ${rate(row.write_rate)}/s; stdout ${bytes(sample.stdoutBytes)}`,
    ),
    field(
      'waiting',
      pressureScope === null ? 'not known' : `${waits(pressure)}${pressureScope === 'host' ? ' (the whole host)' : ''}`,
    ),
    field('processes', `${sample.processes}, threads ${sample.threads}`),
    ...(sample.dropped > 0 ? [field('dropped', `${sample.dropped} messages`, 'notice')] : []),
  ];
}

function waits(pressure: ObservedSample['pressure']): string {
  const one = (name: string, of: ObservedPressure | null) =>
    of === null ? [] : [`${name} ${percent(of.someAvg10)} %`];
  const all = [...one('CPU', pressure.cpu), ...one('memory', pressure.memory), ...one('I/O', pressure.io)];
  return all.length === 0 ? 'not known' : `${all.join(', ')} of the last 10 s`;
}

function limitLines({ limits }: ObservedSample, safe: (text: string) => string): Span[][] {
  const names = Object.keys(limits);
  if (names.length === 0) return [];
  return [
    [],
    [{ text: `${'LIMIT'.padEnd(NAME)}${'VALUE'.padEnd(22)}HELD BY`, style: 'bold' }],
    ...names.map((name): Span[] => {
      const limit = limits[name]!;
      const source = limit.source === null ? '' : ` (${limit.source})`;
      return [{ text: `${name.padEnd(NAME)}${safe(limitText(limit)).padEnd(22)}${safe(limit.enforcement + source)}` }];
    }),
  ];
}

function processLines({ largest }: ObservedSample, safe: (text: string) => string): Span[][] {
  if (largest.length === 0) return [];
  return [
    [],
    [
      {
        text: `${'PID'.padStart(8)}  S  ${'THREADS'.padStart(7)}  ${'MEMORY'.padStart(10)}  ${'CPU TIME'.padStart(14)}  NAME`,
        style: 'bold',
      },
    ],
    ...largest.map(({ pid, state, threads, rssBytes, cpuSec, name }): Span[] => {
      const cpu = cpuSec === null ? '-' : duration(cpuSec * 1000);
      const text = `${`${pid}`.padStart(8)}  ${state ?? '?'}  ${`${threads ?? '-'}`.padStart(7)}  ${bytes(rssBytes).padStart(10)}  ${cpu.padStart(14)}  ${name}`;
      return [{ text: safe(text) }];
    }),
  ];
}
