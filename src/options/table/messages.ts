import { parseBoolean } from '../units.js';
import { parseKey } from '../values.js';
import type { Option } from './option.js';

/** Exchanges and routing keys. */
export const MESSAGES = {
  exchange: {
    type: 'text',
    placeholder: 'name',
    default: 'amq.topic',
    help: 'topic exchange for commands, statistics and events; declared durable if it does not exist',
    parse: parseKey,
  },
  'reply-exchange': {
    type: 'text',
    placeholder: 'name',
    default: '',
    help: 'topic exchange for answers to commands, with reply_to as routing key; by default the default exchange',
    parse: parseKey,
  },
  rkey: {
    type: 'text',
    placeholder: 'key',
    default: 'proc_box.remote_control',
    help: "routing key of remote commands; {user} in it stands for the job's user",
    parse: (text: string) => text,
  },
  multiRmtKey: {
    type: 'boolean',
    default: 'false',
    help: 'rkey is a comma-separated list',
    parse: parseBoolean,
  },
  skey: {
    type: 'text',
    placeholder: 'key',
    default: 'proc_box.stats',
    help: 'routing key prefix of statistics: <skey>.<hostname>; {user} as in rkey',
    parse: parseKey,
  },
  ekey: {
    type: 'text',
    placeholder: 'key',
    default: 'proc_box.events',
    help: 'routing key prefix of lifecycle events: <ekey>.<hostname>; {user} as in rkey',
    parse: parseKey,
  },
} as const satisfies Readonly<Record<string, Option>>;
