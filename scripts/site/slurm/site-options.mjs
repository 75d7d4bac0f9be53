/** The command line of site.mjs. */
import { isAbsolute, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Refused } from './changes.mjs';

const ALL = ['job-submit', 'prolog', 'spank'];

/** `ways`: the ways that take the option. */
const OPTIONS = {
  etc: { value: 'DIR', default: '/etc/slurm', ways: ALL, help: 'where slurm.conf is' },
  lib: { value: 'DIR', default: '/usr/local/lib/proc_box', ways: ALL, help: 'for our own files' },
  'proc-box': { value: 'PATH', ways: ALL, help: "the executable on the nodes (default this package's)" },
  called: {
    value: 'NAMES',
    default: '',
    ways: ['job-submit', 'prolog'],
    help: "the site's own files that call ours: job_submit.lua; Prolog, TaskProlog, TaskEpilog, Epilog",
  },
  failure: {
    value: 'open|closed',
    default: 'open',
    ways: ['prolog', 'spank'],
    help: 'if no box can be made: run the task without one, or refuse it',
  },
  agent: {
    value: 'auto|none|PATH',
    default: 'auto',
    ways: ['prolog'],
    help: "which agent makes the boxes: the node's, none, or the one at this socket",
  },
  default: { value: 'on|off', default: 'off', ways: ['spank'], help: 'whether tasks without --box are boxed' },
  option: { value: 'N=V', default: [], ways: ['prolog', 'spank'], help: 'an option of every box, repeatable' },
  fix: {
    value: 'N=V',
    default: [],
    ways: ['spank'],
    help: 'an option of every box that jobs cannot change, repeatable',
  },
  state: { value: 'DIR', default: '/run/proc_box.jobs', ways: ['prolog'], help: 'for the state of running jobs' },
  'dry-run': { ways: ALL, help: 'only print the changes' },
  help: { ways: ALL, help: 'this text' },
};

const PATHS = ['etc', 'lib', 'proc-box', 'state'];

/**
 * @param {readonly string[]} args
 * @param {string} procBox the executable of this package
 * @returns {object | undefined} `verb`, `way`, and the options by their names; undefined with --help
 * @throws Refused if the administrator must change the command line
 */
export function parseSite(args, procBox) {
  const { values, positionals } = parse(args);
  if (values.help) return undefined;
  const [verb, way] = positionals;
  if (!['install', 'remove'].includes(verb) || !ALL.includes(way) || positionals.length > 2) {
    throw new Refused(
      `expected "install" or "remove", and one of ${ALL.join(', ')}; "site.mjs --help" has the options`,
    );
  }
  for (const name of Object.keys(values)) {
    if (!OPTIONS[name].ways.includes(way)) throw new Refused(misplaced(name, way));
  }
  const defaults = Object.entries(OPTIONS).map(([name, option]) => [name, option.default]);
  const site = { ...Object.fromEntries(defaults), 'proc-box': procBox, 'dry-run': false, ...values, verb, way };
  oneOf('failure', site.failure, ['open', 'closed']);
  oneOf('default', site.default, ['on', 'off']);
  if (!['auto', 'none'].includes(site.agent)) site.agent = pathOf('agent', site.agent);
  const paths = PATHS.map((name) => [name, pathOf(name, site[name])]);
  return { ...site, ...Object.fromEntries(paths) };
}

export function siteHelp() {
  const lines = Object.entries(OPTIONS).map(([name, { value = '', default: fallback = '', ways, help }]) => {
    const only = ways.length < ALL.length ? `${ways.join(', ')}: ` : '';
    const shown = fallback.length > 0 ? ` (default ${fallback})` : '';
    return `  ${`--${name} ${value}`.padEnd(24)}${only}${help}${shown}`;
  });
  return `usage: site.mjs install|remove job-submit|prolog|spank [options]

Installs proc_box at a Slurm site, or removes it; docs/slurm.md says which way suits which site. Run job-submit on the
controller, prolog on every node, and spank on every node and where users submit.

${lines.join('\n')}
`;
}

function parse(args) {
  const options = Object.entries(OPTIONS).map(([name, { value }]) => {
    return [name, { type: value === undefined ? 'boolean' : 'string', multiple: Array.isArray(OPTIONS[name].default) }];
  });
  try {
    return parseArgs({ args, allowPositionals: true, options: Object.fromEntries(options) });
  } catch (error) {
    if (!String(error.code).startsWith('ERR_PARSE_ARGS')) throw error;
    throw new Refused(`${error.message.split('. ', 1)[0]}; "site.mjs --help" lists the options`);
  }
}

function misplaced(name, way) {
  const instead = way === 'job-submit' && name !== 'state' ? '; set it in proc_box_policy.lua instead' : '';
  return `--${name} is not an option of ${way}, but of ${OPTIONS[name].ways.join(' and ')}${instead}`;
}

function oneOf(name, value, allowed) {
  if (!allowed.includes(value)) throw new Refused(`--${name} ${value}: expected ${allowed.join(' or ')}`);
}

/** Blanks end a word in scripts, slurm.conf and plugstack.conf. */
function pathOf(name, path) {
  if (/[\s'"\\$`#]/.test(path)) throw new Refused(`--${name} ${path}: expected a path without blanks and quotes`);
  if (['proc-box', 'agent'].includes(name) && !isAbsolute(path)) {
    throw new Refused(`--${name} ${path}: expected the absolute path on the nodes`);
  }
  return resolve(path);
}
