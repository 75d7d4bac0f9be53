import { DEFAULT_RULES, parseControlAuth, parseControlRules } from '../control.js';
import { parsePath } from '../values.js';
import type { Option } from './option.js';

/** Who may command a box, and the record of it. */
export const CONTROL = {
  'control-auth': {
    type: 'text',
    placeholder: 'broker|user|signed',
    default: 'broker',
    help: "who may command: whom the broker's permissions let, whom --control-rules name, or who has a key of --control-keys",
    parse: parseControlAuth,
  },
  'control-rules': {
    type: 'JSON',
    placeholder: 'rules',
    default: DEFAULT_RULES,
    help: 'for --control-auth user: which broker users may give which commands; * stands for any characters, {owner} for the user of the job',
    parse: parseControlRules,
    shapes: ['objects'],
  },
  'control-keys': {
    type: 'path',
    placeholder: 'folder',
    default: '',
    help: 'for --control-auth signed: folder of the public keys, a file <key id>.json each; looked into at each command',
    parse: parsePath,
  },
  'audit-log': {
    type: 'path',
    placeholder: 'path',
    default: '',
    help: 'file that gets a line of JSON for each command, accepted or refused; made with mode 0600',
    parse: parsePath,
  },
} as const satisfies Readonly<Record<string, Option>>;
