import { amount, bytes, counted, duration, isUnit } from '../../options/amounts.js';
import type { Note } from '../model/observed.js';
import { limitText } from '../source/words.js';
import { cellText, fit } from '../terminal/cells.js';
import type { Look } from '../terminal/look.js';
import { type Style, styled } from '../terminal/style.js';
import type { UsedLimit } from './facts.js';
import { type Group, groupBy, groupOf, percentOf, ranMs } from './group.js';
import type { JobReport } from './job-report.js';
import { cores, round } from './notes.js';

/** The report for people, in lines of at most 80 columns. */

const WIDTH = 80;
const NAME = 13;
/** Rows of a table, unless all are asked for. */
const ROWS_MAX = 32;

export type By = 'node' | 'job' | 'step' | 'box';

export interface TextOptions {
  readonly look: Look;
  /** What the table has a row for. @default tasks of an array, or else nodes */
  readonly by: By | undefined;
  /** Every row of the table. */
  readonly all: boolean;
}

export function reportText(report: JobReport, { look, by, all }: TextOptions): string {
  const safe = (text: string) => cellText(text, look.utf8);
  const lines = [
    styled(fitted(safe(title(report)), look), 'bold', look),
    ...summary(report, look).flatMap(([name, text]) => rowLines(name, safe(text))),
    ...table(report, by ?? (report.jobs.length > 1 ? 'job' : 'node'), all, look),
    ...limits(report, look),
    ...notes(report.notes, look),
  ];
  return lines.map((line) => `${line.trimEnd()}\n`).join('');
}

function title({ job, jobs, user, nodes, boxes, scheduler, cluster, queue }: JobReport): string {
  const array = jobs.length > 1 ? `, ${jobs.length} array tasks` : '';
  const where = [scheduler === 'none' ? '' : scheduler, cluster ?? '', queue ?? ''].filter((part) => part !== '');
  const place = where.length === 0 ? '' : ` (${where.join(', ')})`;
  return `Job ${job} of ${user}${array}: ${counted(boxes.length, 'box', 'boxes')} on ${counted(nodes.length, 'node')}${place}`;
}

type Row = readonly [name: string, text: string];

function summary(report: JobReport, { utf8 }: Look): Row[] {
  const { total, boxes } = report;
  const many = boxes.length > 1;
  const suspended = Math.max(...boxes.map(({ suspendedMs }) => suspendedMs ?? 0));
  const stalled = (['cpu', 'memory', 'io'] as const).flatMap((resource) => {
    const worst = Math.max(...boxes.map((box) => percentOf(box.stalledMs[resource] ?? 0, ranMs(box)) ?? 0));
    return worst < 0.5 ? [] : [`${{ cpu: 'a CPU', memory: 'memory', io: 'storage' }[resource]} ${round(worst)} %`];
  });
  const most = (value: (box: (typeof boxes)[number]) => number | null) =>
    Math.max(...boxes.map((box) => value(box) ?? 0));
  return [
    ...endRows(report, utf8),
    ['time', timeText(total, suspended)],
    ['CPU', cpuText(total)],
    ...idleRow(total),
    ['memory', memoryText(total, many)],
    ...(total.oomKills > 0
      ? [['OOM', `${counted(total.oomKills, 'process', 'processes')} killed by the kernel`] as const]
      : []),
    ...(total.throttledMs > 0
      ? [['throttled', `${duration(total.throttledMs)} by the CPU limit${many ? ', all boxes together' : ''}`] as const]
      : []),
    ...(stalled.length > 0
      ? [['waited for', `${stalled.join(', ')} of the time${many ? ', in the box that waited most' : ''}`] as const]
      : []),
    [
      'storage',
      `${bytes(total.readBytes)} read, ${bytes(total.writeBytes)} written; stdout ${bytes(total.stdoutBytes)}`,
    ],
    [
      'processes',
      `${most((box) => box.processesPeak)} at most${many ? ' in a box' : ''}, threads ${most((box) => box.threadsPeak)}`,
    ],
  ];
}

function endRows({ ends, boxes }: JobReport, utf8: boolean): Row[] {
  return ends.slice(0, 4).map(({ reason, exitStatus, signal, why, boxes: count, first }, index): Row => {
    const status = exitStatus === null ? '' : `, exit status ${exitStatus}`;
    const how =
      reason === 'running' ? `still ${first.state}` : `${reason}${signal === null ? '' : ` (${signal})`}${status}`;
    const share = boxes.length === 1 ? '' : `, ${count} of ${counted(boxes.length, 'box', 'boxes')}`;
    const where = boxes.length > 1 && why !== null ? `; first on ${cellText(first.identity.host, utf8)}` : '';
    return [index === 0 ? 'ended' : '', `${how}${share}${where}${why === null ? '' : `: ${why}`}`];
  });
}

function timeText({ timeUsedMs, timeLimitMs, wallMs, boxes }: Group, suspendedMs: number): string {
  const percent = percentOf(timeUsedMs, timeLimitMs);
  const limit =
    timeLimitMs === null
      ? ', no limit'
      : ` of ${duration(timeLimitMs)}${percent === null ? '' : ` (${round(percent)} %)`}`;
  const from = boxes > 1 ? `; ${duration(wallMs)} from the first start to the last end` : '';
  const suspended = suspendedMs > 0 ? `; suspended for ${duration(suspendedMs)}` : '';
  return `${duration(timeUsedMs)}${limit}${from}${suspended}`;
}

function cpuText({ cpuSec, coresUsed, coresAsked, cpuPercent }: Group): string {
  const average = `${round(coresUsed)} ${coresAsked === null ? (round(coresUsed) === '1' ? 'core' : 'cores') : `of ${cores(coresAsked)}`} on average`;
  return `${average}${cpuPercent === null ? '' : ` (${round(cpuPercent)} %)`}, ${duration(cpuSec * 1000)} of CPU time`;
}

function idleRow({ coresAsked, coresUsed }: Group): Row[] {
  if (coresAsked === null || coresAsked - coresUsed < 0.05) return [];
  return [['idle CPUs', `${round(coresAsked - coresUsed)} of ${cores(coresAsked)} on average`]];
}

function memoryText(total: Group, many: boolean): string {
  const { memoryPeakBytes: peak, memoryLimitBytes: limit, memoryPercent: percent, memoryPeakSumBytes: sum } = total;
  const each = many ? ' in one box' : '';
  const all = many ? `; the peaks of all boxes together ${bytes(sum)}` : '';
  if (limit === null || percent === null) return `${bytes(peak)} at most${each}, no limit${all}`;
  const unused = peak < limit ? `: ${bytes(limit - peak)} never used` : '';
  return `${bytes(peak)} of ${bytes(limit)}${each} (${round(percent)} %)${unused}${all}`;
}

function table(report: JobReport, by: By, all: boolean, look: Look): string[] {
  const groups = by === 'node' ? report.nodes : groupsBy(report, by);
  if (groups.length < 2) return [];
  const heading = tableRow(
    by.toUpperCase(),
    'BOXES',
    'CORES USED/ASKED',
    'CPU%',
    'MEMORY PEAK/LIMIT',
    'MEM%',
    'TIME',
    look,
  );
  const shown = all ? groups : groups.slice(0, ROWS_MAX);
  const rows = shown.map((group) => {
    const { name, boxes, coresUsed, coresAsked, cpuPercent, memoryPeakBytes, memoryLimitBytes, memoryPercent, wallMs } =
      group;
    const style: Style = group.oomKills > 0 || (memoryPercent ?? 0) >= 95 ? 'alarm' : 'plain';
    const used = `${round(coresUsed)}/${coresAsked === null ? '-' : round(coresAsked)}`;
    const memory = `${bytes(memoryPeakBytes)}/${memoryLimitBytes === null ? '-' : bytes(memoryLimitBytes)}`;
    const percent = (value: number | null) => (value === null ? '-' : round(value));
    return styled(
      tableRow(
        cellText(name, look.utf8),
        `${boxes}`,
        used,
        percent(cpuPercent),
        memory,
        percent(memoryPercent),
        duration(wallMs),
        look,
      ),
      style,
      look,
    );
  });
  const more = groups.length > shown.length ? [`  ... and ${groups.length - shown.length} more; --all shows them`] : [];
  return ['', styled(heading, 'bold', look), ...rows, ...more];
}

function groupsBy({ boxes }: JobReport, by: Exclude<By, 'node'>): Group[] {
  const nameOf = {
    job: ({ identity }: (typeof boxes)[number]) => identity.job,
    step: ({ identity }: (typeof boxes)[number]) => identity.step ?? '-',
    box: ({ identity: { job, step, task, host, node } }: (typeof boxes)[number]) =>
      [[job, step, task].filter((part) => part !== null).join('.'), node ?? host].join(' '),
  }[by];
  const names = new Intl.Collator('en', { numeric: true });
  return [...groupBy(boxes, nameOf)]
    .map(([name, some]) => groupOf(name, some))
    .sort((a, b) => names.compare(a.name, b.name));
}

function tableRow(
  name: string,
  boxes: string,
  used: string,
  cpu: string,
  memory: string,
  percent: string,
  time: string,
  { utf8 }: Look,
): string {
  const right = (text: string, width: number) => fit(text, width, utf8, 'right');
  return `  ${fit(name, 15, utf8)} ${right(boxes, 5)} ${right(used, 16)} ${right(cpu, 4)} ${right(memory, 19)} ${right(percent, 4)} ${right(time, 12)}`;
}

/** What held each limit, over all boxes: the one that came closest to it. */
function limits({ boxes }: JobReport, look: Look): string[] {
  const worst = new Map<string, { readonly limit: UsedLimit; readonly percent: number }>();
  for (const box of boxes) {
    for (const [name, limit] of Object.entries(box.limits)) {
      const percent = shareOf(limit) ?? -1;
      const before = worst.get(name);
      if (before === undefined || percent > before.percent) worst.set(name, { limit, percent });
    }
  }
  if (worst.size === 0) return [];
  const row = (name: string, value: string, used: string, share: string, by: string) =>
    fitted(
      `  ${fit(name, 12, look.utf8)} ${fit(value, 18, look.utf8, 'right')} ${fit(used, 16, look.utf8, 'right')} ${share.padStart(5)}  ${by}`,
      look,
    );
  const rows = [...worst].map(([name, { limit, percent }]) => {
    const { used, unit, enforcement, source } = limit;
    const amountUsed = used === null ? '-' : isUnit(unit) ? amount(used, unit) : `${used}`;
    const by = cellText(`${enforcement}${source === null ? '' : ` (${source})`}`, look.utf8);
    return row(
      name,
      cellText(limitText(limit), look.utf8),
      cellText(amountUsed, look.utf8),
      percent < 0 ? '-' : round(percent),
      by,
    );
  });
  return ['', styled(row('LIMIT', 'VALUE', 'USED', '%', 'HELD BY'), 'bold', look), ...rows];
}

function shareOf({ used, value }: UsedLimit): number | null {
  return used === null || typeof value !== 'number' ? null : percentOf(used, value);
}

const MARKS = { warning: '!', advice: '>', info: '-' } as const;
const STYLES = { warning: 'alarm', advice: 'notice', info: 'plain' } as const;

function notes(all: readonly Note[], look: Look): string[] {
  if (all.length === 0) return [];
  const lines = all.flatMap(({ severity, text }) =>
    wrap(cellText(text, look.utf8), WIDTH - 4).map((part, index) =>
      styled(`  ${index === 0 ? MARKS[severity] : ' '} ${part}`, STYLES[severity], look),
    ),
  );
  return ['', ...lines];
}

/** A row of the summary, with further lines below its text. */
function rowLines(name: string, text: string): string[] {
  const indent = NAME + 2;
  return wrap(text, WIDTH - indent).map((part, index) =>
    index === 0 ? `  ${name.padEnd(NAME)}${part}` : `${' '.repeat(indent)}${part}`,
  );
}

function wrap(text: string, width: number): string[] {
  return text.match(new RegExp(`.{1,${width}}(?:\\s|$)|\\S{${width}}`, 'g'))?.map((line) => line.trimEnd()) ?? [text];
}

function fitted(text: string, { utf8 }: Look): string {
  return fit(text, WIDTH, utf8).trimEnd();
}
