import type { AnswerSummary, By, CommandEvent } from '../model/event.js';
import type { Answer, Command, Requester } from '../model/types.js';

/** Converts the requester to the form of events. */
export function toBy(requester: Requester): By {
  return {
    via: requester.via,
    ...(requester.messageId !== undefined && { message_id: clip(requester.messageId, 256) }),
    ...(requester.user !== undefined && { user: clip(requester.user, 256) }),
    ...(requester.key !== undefined && { key: clip(requester.key, 256) }),
    ...(requester.signer !== undefined && { signer: clip(requester.signer, 256) }),
    ...(requester.signal !== undefined && { signal: requester.signal }),
    ...(requester.sender !== undefined && { sender: requester.sender }),
  };
}

/** Says to people who asked: `user ops, message m-17`, `SIGTERM from slurmstepd (pid 4242, uid 0)`. */
export function askedBy({ via, user, signer, key, message_id: id, signal, sender }: By): string {
  if (via === 'limit') return 'a limit';
  if (via === 'box') return 'proc_box';
  if (via === 'signal') {
    const from =
      sender === undefined ? '' : ` from ${sender.name ?? 'a process'} (pid ${sender.pid}, uid ${sender.uid})`;
    return `${signal ?? 'a signal'}${from}`;
  }
  const who = signer === undefined ? user : `${signer} (key ${key})`;
  const message = id === undefined ? 'a message without an id' : `message ${id}`;
  return who === undefined ? message : `user ${who}, ${message}`;
}

/** The audit record of a command that reached the box, whether or not it succeeded. */
export function commandEvent(command: Command, by: Requester, answer: Answer): CommandEvent {
  return record('accepted', command.name, argumentsOf(command), by, answer);
}

/** The audit record of a command that was refused before it reached the box. @param args as they were sent */
export function refusalEvent(
  command: string,
  args: readonly string[] | null,
  by: Requester,
  answer: Answer,
): CommandEvent {
  return record('refused', command, args?.map((text) => clip(text, 256)) ?? null, by, answer);
}

function record(
  decision: CommandEvent['decision'],
  command: string,
  args: CommandEvent['arguments'],
  by: Requester,
  answer: Answer,
): CommandEvent {
  return {
    event: 'command',
    command: clip(command, 128),
    arguments: args,
    by: toBy(by),
    decision,
    answer: summary(command, answer),
  };
}

function summary(name: string, answer: Answer): AnswerSummary {
  if (!answer.ok) return { ok: false, error: { code: answer.error.code, message: clip(answer.error.message, 1024) } };
  const repeats = name === 'status' || name === 'sample';
  return { ok: true, ...(!repeats && answer.result !== undefined && { result: answer.result }) };
}

function argumentsOf(command: Command): Readonly<Record<string, string | number>> {
  const { name: _name, ...rest } = command as Command & Readonly<Record<string, string | number>>;
  return Object.fromEntries(Object.entries(rest).map(([key, value]) => [snake(key), clipValue(value)]));
}

function clipValue(value: string | number): string | number {
  return typeof value === 'string' ? clip(value, 256) : value;
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Bounds what events repeat of a message, because a hostile one may contain 64 KiB of anything. */
function clip(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 3)}...`;
}
