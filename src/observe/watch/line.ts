import { bytes, counted, duration } from '../../options/amounts.js';
import { printable } from '../../text.js';
import { amountAt, type Fields, isFields, listAt, nameAt, objectAt, textAt } from '../model/fields.js';
import { readLimits } from '../model/nested.js';
import type { Observed, ObservedEvent, ObservedIdentity, ObservedSample } from '../model/observed.js';
import { amountText, byText, limitOf, limitText } from '../source/words.js';
import { asciiOf } from '../terminal/cells.js';
import type { Look } from '../terminal/look.js';
import { type Style, styled } from '../terminal/style.js';

/** One message as one line for people. */

const LINE_MAX = 1_000;

/** @param nowMs tells whether the message is of today. @returns the line without its newline */
export function messageLine(message: Observed, look: Look, nowMs: number): string {
  const text = message.kind === 'sample' ? sampleText(message) : eventText(message);
  const safe = (part: string) => (look.utf8 ? printable(part) : asciiOf(printable(part)));
  const head = `${timeText(message.atMs, nowMs)} ${whoText(message.identity)} `;
  const line = safe(`${head}${text}`);
  const shown = line.length > LINE_MAX ? `${line.slice(0, LINE_MAX).toWellFormed()}...` : line;
  return styled(shown, styleOf(message), look);
}

function styleOf(message: Observed): Style {
  if (message.kind === 'sample') return 'plain';
  switch (message.event) {
    case 'oom':
    case 'limit_exceeded':
    case 'unboxed':
    case 'spool_dropped':
      return 'alarm';
    case 'limit_near':
    case 'warned':
    case 'options_ignored':
      return 'notice';
    case 'exited':
      return message.body['exit_status'] === 0 ? 'good' : 'alarm';
    default:
      return 'bold';
  }
}

/** `14:03:22`, with the date if that is not today. */
function timeText(atMs: number, nowMs: number): string {
  const at = new Date(atMs);
  const time = at.toTimeString().slice(0, 8);
  if (at.toDateString() === new Date(nowMs).toDateString()) return time;
  const two = (count: number) => `${count}`.padStart(2, '0');
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`;
}

function whoText({ host, user, job, step, task }: ObservedIdentity): string {
  return `${host} ${user} ${[job, step, task].filter((part) => part !== null).join('.')}`;
}

function sampleText(sample: ObservedSample): string {
  const { memoryLimitBytes: limit, elapsedMs, timeLimitMs, cause, state } = sample;
  const time =
    elapsedMs === null ? [] : [`${duration(elapsedMs)}${timeLimitMs === null ? '' : ` of ${duration(timeLimitMs)}`}`];
  const parts = [
    `CPU ${Math.round(sample.cpuPercent * 10) / 10} %`,
    `memory ${bytes(sample.rssBytes)}${limit === null ? '' : ` of ${bytes(limit)}`}, peak ${bytes(sample.rssPeakBytes)}`,
    `read ${bytes(sample.readBytes)}, written ${bytes(sample.writeBytes)}`,
    counted(sample.processes, 'process', 'processes'),
    ...time,
    ...(state === 'running' ? [] : [state]),
    ...(cause === null || cause === 'interval' ? [] : [`taken for: ${cause}`]),
  ];
  return `sample: ${parts.join('; ')}`;
}

type Words = (body: Fields) => string;

const EVENTS: Readonly<Record<string, Words>> = {
  started: startedText,
  suspended: ({ by }) => `suspended${byText(by)}`,
  resumed: ({ by }) => `resumed${byText(by)}`,
  released: ({ by }) => `released${byText(by)}: the process continues within its limits`,
  options_ignored: ({ why }) => `runs without some of its options: ${textAt(why) ?? 'no reason was given'}`,
  unboxed: ({ why }) => `runs without a box: ${textAt(why) ?? 'no reason was given'}`,
  limit_changed: changedText,
  limit_near: ({ limit, status, used, threshold_percent }) =>
    `limit ${nameAt(limit)}: ${amountAt(threshold_percent)} % reached: ${usedText(status, used)}`,
  limit_exceeded: ({ limit, status, used }) => `limit ${nameAt(limit)} exceeded: ${usedText(status, used)}`,
  warned: ({ signal, remaining_ms }) =>
    `was warned by ${nameAt(signal)}: ${duration(amountAt(remaining_ms) ?? 0)} are left`,
  oom: oomText,
  command: commandText,
  exited: exitedText,
  spool_dropped: ({ messages }) => `lost ${amountAt(messages) ?? 'some'} messages before they could be delivered`,
};

function eventText({ event, body }: ObservedEvent): string {
  if (Object.hasOwn(EVENTS, event)) return EVENTS[event]!(body);
  return `${event}: ${JSON.stringify(body)}`;
}

function startedText({ executable, pid, adopted, limits }: Fields): string {
  // The defaults say nothing about this job.
  const asked = Object.entries(readLimits(limits)).filter(([, { source }]) => source !== null && source !== 'default');
  const text = asked.map(([name, limit]) => `${name} ${limitText(limit)}`).join(', ');
  const how = adopted === true ? 'adopted' : 'started';
  return `${how}: ${nameAt(executable) ?? 'an unknown program'}, pid ${amountAt(pid) ?? 'unknown'}${text === '' ? '' : `; limits: ${text}`}`;
}

function changedText({ limit, from, to, by }: Fields): string {
  const text = (status: unknown) => {
    const known = limitOf(status);
    return known === undefined ? 'none' : limitText(known);
  };
  return `limit ${nameAt(limit)}: ${text(from)} became ${text(to)}${byText(by)}`;
}

function usedText(status: unknown, used: unknown): string {
  const limit = limitOf(status);
  if (limit === undefined) return 'the limit is not known';
  const amount = amountAt(used);
  return `${amount === null ? '' : `${amountText(amount, limit.unit)} of `}${limitText(limit)}, held by ${limit.enforcement}`;
}

function oomText({ kills, limit, memory_peak_bytes, processes }: Fields): string {
  const known = limitOf(limit);
  const largest = nameAt(objectAt(listAt(processes, 1)[0])['name']);
  const whose = known === undefined ? 'the host or the scheduler ran out of memory' : `limit ${limitText(known)}`;
  return `out of memory: the kernel killed ${counted(amountAt(kills) ?? 0, 'process', 'processes')} (${whose}, peak ${bytes(amountAt(memory_peak_bytes) ?? 0)}${largest === null ? '' : `, largest: ${largest}`})`;
}

function commandText({ command, arguments: args, by, decision, answer }: Fields): string {
  const given = Array.isArray(args) ? args : Object.values(objectAt(args));
  const words = given
    .slice(0, 16)
    .map((word) => (typeof word === 'string' || typeof word === 'number' ? `${word}` : '?'));
  const { ok, error } = objectAt(answer);
  const { code, message } = objectAt(error);
  const how =
    ok === true ? 'done' : `${decision === 'accepted' ? 'failed' : 'refused'}: ${nameAt(code)}: ${textAt(message)}`;
  return `command ${[nameAt(command) ?? '(unreadable)', ...words].join(' ')}${byText(by)}: ${how}`;
}

function exitedText({ exit_status, reason, why, signal, elapsed_ms, usage, by }: Fields): string {
  const used = objectAt(usage);
  const cpu = (amountAt(used['user_sec']) ?? 0) + (amountAt(used['system_sec']) ?? 0);
  const ended = nameAt(signal) === null ? '' : ` (${nameAt(signal)})`;
  const told = textAt(why);
  const asked = isFields(by) ? byText(by) : '';
  return `ended: ${nameAt(reason) ?? 'unknown'}${ended}${asked}, exit status ${amountAt(exit_status) ?? 'unknown'}, ${duration(amountAt(elapsed_ms) ?? 0)}, CPU time ${duration(cpu * 1000)}, memory peak ${bytes(amountAt(used['memory_peak_bytes']) ?? 0)}${told === null ? '' : `; ${told}`}`;
}

/** The names that `--only` takes besides `sample` and `event`. */
export const EVENT_NAMES = Object.keys(EVENTS);
