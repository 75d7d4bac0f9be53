/** One box in detail: its end report, its limits and what holds them, its largest processes. */
import type { JSX } from 'preact';
import { duration, isUnit, limitAmount } from '../../../options/amounts.js';
import { printable } from '../../../text.js';
import type { BoxRow, BoxView } from '../../model/api.js';
import { endReportOf } from '../../model/end-report.js';
import type { EndReport, ObservedLimit } from '../../model/observed.js';
import { parseValue } from '../../model/parse.js';
import { count, percent, size, spanInWords } from '../data/figures.js';
import { Name } from './words.js';

export function BoxDetail({ view, row }: { readonly view: BoxView; readonly row: BoxRow }): JSX.Element {
  const report = reportOf(view.report);
  return (
    <div>
      {report !== null && <Report report={report} />}
      <Limits limits={view.limits} report={report} />
      {row.state !== 'ended' && view.processes.length > 0 && <Processes view={view} />}
      <p class="section faint">
        Box <code>{printable(row.box)}</code>
        {row.verified.length > 0 ? `; the node’s agent vouches for ${row.verified.map(printable).join(', ')}` : ''}
        {view.missing > 0 ? `; ${count(view.missing)} of its messages are missing` : ''}
        {row.dropped > 0 ? `; it had to drop ${count(row.dropped)} messages` : ''}
      </p>
    </div>
  );
}

function reportOf(value: unknown): EndReport | null {
  const observed = parseValue(value);
  return observed.kind === 'event' ? endReportOf(observed) : null;
}

function Report({ report }: { readonly report: EndReport }): JSX.Element {
  const { throttledMs, throttledPeriods, periods, stalledUsec } = report;
  const stalled = (['cpu', 'memory', 'io'] as const)
    .filter((name) => (stalledUsec[name] ?? 0) > 0)
    .map(
      (name) =>
        `${{ cpu: 'CPU', memory: 'memory', io: 'I/O' }[name]} ${duration((stalledUsec[name] as number) / 1000)}`,
    );
  const facts: readonly (readonly [string, string | null])[] = [
    [
      'Exit status',
      report.exitStatus === null
        ? null
        : `${report.exitStatus}${report.signal === null ? '' : ` (${report.signal}${report.coreDumped ? ', core dumped' : ''})`}`,
    ],
    [
      'Ran',
      `${spanInWords(report.elapsedMs)}${report.suspendedMs > 0 ? `, ${spanInWords(report.suspendedMs)} of it suspended` : ''}`,
    ],
    [
      'CPU time',
      `${duration(report.userSec * 1000)} user, ${duration(report.systemSec * 1000)} system; ${percent(report.cpuPercent)} of one core`,
    ],
    ['Memory peak', `${size(report.memoryPeakBytes)}${report.memoryPeakExact ? '' : ', as sampled'}`],
    ['Killed for memory', (report.oomKills ?? 0) > 0 ? `${count(report.oomKills)} processes` : null],
    [
      'Throttled',
      (throttledMs ?? 0) > 0
        ? `${duration(throttledMs as number)}, in ${count(throttledPeriods)} of ${count(periods)} periods`
        : null,
    ],
    ['Waited for', stalled.length > 0 ? stalled.join(', ') : null],
    ['Read · written', `${size(report.readBytes)} · ${size(report.writeBytes)}`],
    ['Output', size(report.stdoutBytes)],
    ['At most', `${count(report.processesPeak)} processes, ${count(report.threadsPeak)} threads`],
  ];
  return (
    <section class="section">
      <h2>End report</h2>
      <div class="card">
        <table class="plain">
          <tbody>
            {facts
              .filter(([, text]) => text !== null)
              .map(([name, text]) => (
                <tr key={name}>
                  <th scope="row">{name}</th>
                  <td>{printable(text as string)}</td>
                </tr>
              ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

/** What holds a limit, in words. */
const HELD_BY: Readonly<Record<string, string>> = {
  cgroup2: 'control group (v2)',
  cgroup1: 'control group (v1)',
  rlimit: 'rlimit of each process',
  watchdog: 'sampling',
  timer: 'timer',
  splice: 'pipe',
  offset: 'file offset',
  none: 'nothing',
};

function Limits({
  limits,
  report,
}: {
  readonly limits: BoxView['limits'];
  readonly report: EndReport | null;
}): JSX.Element | null {
  const names = Object.keys(limits);
  if (names.length === 0) return null;
  return (
    <section class="section">
      <h2>Limits</h2>
      <div class="card scroll">
        <table class="plain">
          <thead>
            <tr>
              <th scope="col">Limit</th>
              <th scope="col">Value</th>
              {report !== null && <th scope="col">Used</th>}
              <th scope="col">Held by</th>
              <th scope="col">From</th>
            </tr>
          </thead>
          <tbody>
            {names.map((name) => {
              const limit = limits[name] as ObservedLimit;
              const used = report?.limits[name]?.used ?? null;
              return (
                <tr key={name}>
                  <td>
                    <code>{printable(name)}</code>
                  </td>
                  <td class="number">{limitText(limit)}</td>
                  {report !== null && (
                    <td class="number">{used === null ? '–' : limitText({ ...limit, value: used, hard: null })}</td>
                  )}
                  <td>
                    {Object.hasOwn(HELD_BY, limit.enforcement)
                      ? HELD_BY[limit.enforcement]
                      : printable(limit.enforcement)}
                  </td>
                  <td class="faint">{printable(limit.source ?? '')}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function limitText({ value, hard, unit }: ObservedLimit): string {
  return printable(
    isUnit(unit) ? limitAmount({ value, unit, ...(hard === null ? {} : { hard }) }) : `${value} ${unit}`,
  );
}

function Processes({ view }: { readonly view: BoxView }): JSX.Element {
  return (
    <section class="section">
      <h2>Largest processes</h2>
      <div class="card scroll">
        <table class="plain">
          <thead>
            <tr>
              <th scope="col">Process</th>
              <th scope="col" class="right">
                Pid
              </th>
              <th scope="col">State</th>
              <th scope="col" class="right">
                Threads
              </th>
              <th scope="col" class="right">
                Memory
              </th>
              <th scope="col" class="right">
                CPU time
              </th>
            </tr>
          </thead>
          <tbody>
            {view.processes.slice(0, 12).map((process) => (
              <tr key={process.pid}>
                <td>
                  <code>
                    <Name text={process.name} />
                  </code>
                </td>
                <td class="right">{process.pid}</td>
                <td>{printable(process.state ?? '')}</td>
                <td class="right">{count(process.threads)}</td>
                <td class="right">{size(process.rss_bytes)}</td>
                <td class="right">{process.cpu_sec === null ? '–' : duration(process.cpu_sec * 1000)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
