import type { Answer, Command, Requester } from '../box/types.js';
import type { By, CommandEvent } from './event.js';

/** The requester as it goes into events. */
export function toBy(requester: Requester): By {
  return {
    via: requester.via,
    ...(requester.messageId !== undefined && { message_id: clip(requester.messageId, 256) }),
    ...(requester.user !== undefined && { user: clip(requester.user, 256) }),
    ...(requester.signal !== undefined && { signal: requester.signal }),
  };
}

/** The audit record of one command: the Command where it became one, else the name that was sent. */
export function commandEvent(command: Command | string, by: Requester, answer: Answer): CommandEvent {
  const name = typeof command === 'string' ? command : command.name;
  return {
    event: 'command',
    command: clip(name, 128),
    arguments: typeof command === 'string' ? null : argumentsOf(command),
    by: toBy(by),
    answer: answer.ok
      ? {
          ok: true,
          ...(name !== 'status' && name !== 'sample' && answer.result !== undefined && { result: answer.result }),
        }
      : { ok: false, error: { code: answer.error.code, message: clip(answer.error.message, 1024) } },
  };
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

/** A hostile message may be 64 KiB of anything; what is repeated of it has a bound. */
function clip(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 3)}...`;
}
