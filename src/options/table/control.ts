import { DEFAULT_RULES, parseControlAuth, parseControlRules } from '../control.js';
import { parsePath } from '../values.js';
import type { Option } from './option.js';

/** Who may command a box, and the record of the commands. */
export const CONTROL = {
  'control-auth': {
    type: 'text',
    placeholder: 'broker|user|signed',
    default: 'broker',
    help: "who may command: users with the broker's permission, users named by --control-rules, or holders of a key in --control-keys",
    parse: parseControlAuth,
  },
  'control-rules': {
    type: 'JSON',
    placeholder: 'rules',
    default: DEFAULT_RULES,
    help: "for --control-auth user: which broker users may give which commands; * stands for any characters, {owner} for the job's user",
    parse: parseControlRules,
    shapes: ['objects'],
  },
  'control-keys': {
    type: 'path',
    placeholder: 'folder',
    default: '',
    help: 'for --control-auth signed: folder of the public keys, one file <key id>.json per key; read for each command',
    parse: parsePath,
  },
  'audit-log': {
    type: 'path',
    placeholder: 'path',
    default: '',
    help: 'append one line of JSON to this file for each command, accepted or refused; created with mode 0600',
    parse: parsePath,
  },
} as const satisfies Readonly<Record<string, Option>>;
