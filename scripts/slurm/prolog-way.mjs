/**
 * The prolog way of site.mjs: every task of every job is boxed before it executes its program, and nobody changes a
 * command. Needs Prolog, TaskProlog, TaskEpilog and Epilog of slurm.conf, each ours or called by the site's own.
 */
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Refused } from './changes.mjs';

const BLOCK = 'proc_box prolog';
const SCRIPT = { comment: '#', mode: 0o755 };
const SCRIPTS = {
  Prolog: 'prolog',
  TaskProlog: 'task-prolog',
  TaskEpilog: 'task-epilog',
  Epilog: 'epilog',
};
const NEXT = 'scontrol reconfigure, when every node has these files; it counts from the next job on';

export const prologWay = {
  install(changes, site) {
    const conf = join(site.etc, 'slurm.conf');
    const lines = [];
    for (const [key, name] of Object.entries(SCRIPTS)) {
      changes.file(scriptOf(site, name), textOf(site, name), SCRIPT);
      if (isCalled(site, key)) continue;
      const own = settingOf(conf, key);
      if (own === undefined) lines.push(`${key}=${scriptOf(site, name)}`);
      else if (isPattern(own)) changes.file(entryOf(own, name), caller(site, name), SCRIPT);
      else throw new Refused(refusal(conf, key, own, scriptOf(site, name)));
    }
    changes.file(policyOf(site), textOf(site, 'proc_box_prolog.conf'), { comment: '#', settings: true });
    if (lines.length > 0) changes.block(conf, BLOCK, lines);
    return NEXT;
  },
  remove(changes, site) {
    const conf = join(site.etc, 'slurm.conf');
    changes.removeBlock(conf, BLOCK);
    for (const [key, name] of Object.entries(SCRIPTS)) {
      const own = settingOf(conf, key);
      if (own !== undefined && isPattern(own)) changes.removeFile(entryOf(own, name), SCRIPT);
      changes.removeFile(scriptOf(site, name), SCRIPT);
    }
    changes.removeFile(policyOf(site), { comment: '#' });
    return `${NEXT}; jobs that run now have no epilog of ours any more: drain the nodes before, or remove what is left in ${site.state}`;
  },
};

function scriptOf({ lib }, name) {
  return join(resolve(lib), 'prolog', name);
}

function policyOf({ etc }) {
  return join(etc, 'proc_box_prolog.conf');
}

function textOf(site, name) {
  return site
    .text(join('prolog', name))
    .replaceAll('@STATE@', resolve(site.state))
    .replaceAll('@FAILURE@', site.failure)
    .replaceAll('@OPTIONS@', optionsOf(site));
}

/** Words between the quotes of a shell file. */
function optionsOf({ option }) {
  const bad = option.find((word) => !/^[\w-]+(=[^\s'"\\$`]*)?$/.test(word));
  if (bad !== undefined) throw new Refused(`--option ${bad}: expected NAME=VALUE without blanks and quotes`);
  return option.map((word) => `--${word}`).join(' ');
}

/** `--called Prolog,Epilog`: the site's own scripts call ours. */
function isCalled({ called }, key) {
  return called
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .includes(key.toLowerCase());
}

/** The value of a line that is not ours; Slurm looks at names without their case. */
function settingOf(conf, key) {
  const text = readFileSync(conf, 'utf8').replace(
    new RegExp(`^# begin of ${BLOCK}:[\\s\\S]*?# end of ${BLOCK}\\n`, 'm'),
    '',
  );
  return new RegExp(`^\\s*${key}\\s*=\\s*([^\\s#]+)`, 'im').exec(text)?.[1];
}

/** Prolog=/etc/slurm/prolog.d/*: Slurm runs everything in there. */
function isPattern(value) {
  return /\/\*$/.test(value);
}

function entryOf(pattern, name) {
  return join(dirname(pattern), `proc_box-${name}`);
}

function caller(site, name) {
  return `#!/bin/sh\nexec ${scriptOf(site, name)}\n`;
}

function refusal(conf, key, own, script) {
  const pattern =
    key === 'Prolog' || key === 'Epilog' ? `, or make it a folder (${key}=/etc/slurm/${key.toLowerCase()}.d/*)` : '';
  return `${conf}: ${key}=${own} is the site's own: let it run ${script} and try again with --called ${key}${pattern}`;
}
