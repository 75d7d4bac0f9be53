import { amount, isUnit } from '../../options/amounts.js';
import { amountAt, type Fields, isFields, objectAt, textAt } from '../model/fields.js';
import { readLimit } from '../model/nested.js';
import type { ObservedLimit } from '../model/observed.js';

/** Parts of messages in words. The texts may hold anything; whoever prints them makes them safe. */

/** A limit with its unit, which may come from a later version: `4 GiB`, `1024:4096`. */
export function limitText({ value, hard, unit }: ObservedLimit): string {
  const one = (part: number | string) => amountText(part, unit);
  return hard === null || hard === value ? one(value) : `${one(value)}:${one(hard)}`;
}

export function amountText(value: number | string, unit: string): string {
  if (isUnit(unit)) return amount(value, unit);
  return `${value} ${unit}`;
}

/** @param status a limit of an event. @returns undefined if there is none */
export function limitOf(status: unknown): ObservedLimit | undefined {
  return isFields(status) ? readLimit(status) : undefined;
}

/** Who asked for something: `by ops (signed by Olga)`, `by SIGTERM from pid 42 (slurmstepd)`; empty if nobody is named. */
export function byText(by: unknown): string {
  if (!isFields(by)) return '';
  const [via, user, signal, signer, key] = ['via', 'user', 'signal', 'signer', 'key'].map((name) =>
    textAt(by[name], 64),
  );
  if (via === 'signal') return ` by ${signal ?? 'a signal'}${senderText(objectAt(by['sender']))}`;
  if (via === 'limit') return ' by a limit';
  if (via === 'box') return ' by the box itself';
  const signed = signer == null && key == null ? '' : ` (signed by ${signer ?? key})`;
  return user == null && signed === '' ? ' by a message' : ` by ${user ?? 'a message'}${signed}`;
}

function senderText(sender: Fields): string {
  const pid = amountAt(sender['pid']);
  const name = textAt(sender['name'], 64);
  if (pid === null || pid === 0) return '';
  return ` from pid ${pid}${name === null ? '' : ` (${name})`}`;
}
