/** Events in words. Their bodies are as a box has published them, so every key may be missing or of another kind. */
import { amount, bytes, counted, duration, isUnit } from '../../../options/amounts.js';
import { printable } from '../../../text.js';
import { amountAt, type Fields, isFields, objectAt, textAt } from '../../model/fields.js';

/** How an event looks on the time line. */
export type Tone = 'good' | 'bad' | 'warn' | 'plain';

export interface EventWords {
  readonly text: string;
  /** Who asked, or what else is worth a second line; empty if nothing is. */
  readonly more: string;
  readonly tone: Tone;
}

export function eventWords(event: string, body: Fields): EventWords {
  const says = (text: string, tone: Tone = 'plain', more = asked(body['by'])): EventWords => ({ text, tone, more });
  const text = (key: string) => printable(textAt(body[key]) ?? 'unknown');
  switch (event) {
    case 'started':
      return says(
        `Started ${text('executable')}`,
        'good',
        body['adopted'] === true ? 'adopted: the process was running before' : '',
      );
    case 'suspended':
      return says('Suspended', 'warn');
    case 'resumed':
      return says('Resumed', 'good');
    case 'limit_changed':
      return says(`Limit ${text('limit')} changed from ${limit(body['from'])} to ${limit(body['to'])}`);
    case 'limit_near':
      return says(
        `${amountAt(body['threshold_percent']) ?? '?'} % of the limit ${text('limit')} (${limit(body['status'])}) used`,
        'warn',
        '',
      );
    case 'limit_exceeded':
      return says(`Limit ${text('limit')} of ${limit(body['status'])} exceeded`, 'bad', '');
    case 'warned':
      return says(
        `Sent ${text('signal')} as a warning`,
        'warn',
        `${duration(amountAt(body['remaining_ms']) ?? 0)} before the time limit`,
      );
    case 'oom':
      return says(
        `Out of memory: the kernel killed ${counted(amountAt(body['kills']) ?? 1, 'process', 'processes')}`,
        'bad',
        `${isFields(body['limit']) ? `limit ${limit(body['limit'])}, ` : ''}peak ${bytes(amountAt(body['memory_peak_bytes']) ?? 0)}`,
      );
    case 'command':
      return command(body);
    case 'exited':
      return exited(body);
    case 'released':
      return says('Supervision ended; the process continues');
    case 'options_ignored':
    case 'unboxed':
      return says(
        event === 'unboxed' ? 'Runs without a box' : 'Runs in a box without its options',
        'warn',
        text('why'),
      );
    case 'spool_dropped':
      return says(`${counted(amountAt(body['messages']) ?? 0, 'message')} of the spool lost`, 'warn', '');
    default:
      return says(printable(event).replaceAll('_', ' '));
  }
}

function command(body: Fields): EventWords {
  const answer = objectAt(body['answer']);
  const failed = answer['ok'] === false;
  const what = [textAt(body['command']) ?? 'command', ...argumentsOf(body['arguments'])].join(' ');
  const error = textAt(objectAt(answer['error'])['message']);
  const more = [asked(body['by']), failed && error !== null ? printable(error) : '']
    .filter((part) => part !== '')
    .join(': ');
  return { text: `${failed ? 'Refused' : 'Carried out'}: ${printable(what)}`, more, tone: failed ? 'warn' : 'plain' };
}

function argumentsOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.slice(0, 8).map(String);
  return Object.entries(objectAt(value))
    .slice(0, 8)
    .map(([name, each]) => `${name}=${typeof each === 'object' ? JSON.stringify(each) : each}`);
}

function exited(body: Fields): EventWords {
  const status = amountAt(body['exit_status']);
  const signal = textAt(body['signal'], 32);
  const how =
    signal === null ? `exit status ${status ?? 'unknown'}` : `${printable(signal)}, exit status ${status ?? 'unknown'}`;
  const why = textAt(body['why']);
  return {
    text: `Ended: ${printable(textAt(body['reason'], 64) ?? 'unknown')}, ${how}`,
    more: why === null ? asked(body['by']) : printable(why),
    tone: status === 0 ? 'good' : 'bad',
  };
}

/** A limit of an event: its amount, or `none`. */
function limit(value: unknown): string {
  if (!isFields(value)) return 'none';
  const { value: held, unit } = value;
  if (typeof held !== 'number' && typeof held !== 'string') return 'unknown';
  return printable(isUnit(unit) ? amount(held, unit) : `${held}`);
}

/** Who asked for something; empty where nobody did. */
function asked(value: unknown): string {
  if (!isFields(value)) return '';
  const name = textAt(value['signer'], 256) ?? textAt(value['user'], 256);
  if (value['via'] === 'amqp') return `requested by ${name === null ? 'a message' : printable(name)}`;
  const sender = objectAt(value['sender']);
  if (value['via'] === 'signal') {
    const from = textAt(sender['name'], 64);
    return `${printable(textAt(value['signal'], 32) ?? 'a signal')}${from === null ? '' : ` from ${printable(from)}`}`;
  }
  return value['via'] === 'limit' ? 'because of the limit' : '';
}
