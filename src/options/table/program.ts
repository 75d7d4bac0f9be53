import { parseBoolean } from '../units.js';
import { parsePath } from '../values.js';
import type { Option } from './option.js';

/** Options of proc_box itself. */
export const PROGRAM = {
  agent: {
    type: 'path',
    placeholder: 'auto|none|path',
    default: 'auto',
    help: "node agent that serves the box: auto takes the site's agent or your own if it runs and no broker is named; none uses no agent; a path names its socket",
    parse: parsePath,
  },
  config: {
    type: 'path',
    placeholder: 'path',
    default: '/etc/proc_box/config.yaml',
    help: 'YAML file of options; none reads no file',
    parse: parsePath,
    only: 'not in a file',
  },
  debug: { type: 'boolean', default: 'false', help: 'log details', parse: parseBoolean },
  nowarn: {
    type: 'boolean',
    default: 'false',
    help: 'log errors only; --debug overrides it',
    parse: parseBoolean,
  },
  quiet: {
    type: 'boolean',
    default: 'false',
    help: 'write only errors to stderr, and the reason if the box ended the job; --debug overrides it',
    parse: parseBoolean,
  },
  version: {
    type: 'boolean',
    default: 'false',
    help: 'print the version',
    parse: parseBoolean,
    only: 'command line',
  },
  help: {
    type: 'boolean',
    default: 'false',
    help: 'print this text',
    parse: parseBoolean,
    only: 'command line',
  },
} as const satisfies Readonly<Record<string, Option>>;
