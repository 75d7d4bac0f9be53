/**
 * The prolog way of site.mjs: every task of every job is boxed before it executes its program, and users change no command.
 * It needs Prolog, TaskProlog, TaskEpilog and Epilog in slurm.conf, each either ours or the site's own that calls ours.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { isCalled, Refused } from './changes.mjs';

const BLOCK = 'proc_box prolog';
const SCRIPT = { comment: '#', mode: 0o755 };
const SCRIPTS = {
  Prolog: 'prolog',
  TaskProlog: 'task-prolog',
  TaskEpilog: 'task-epilog',
  Epilog: 'epilog',
};
const NEXT = 'scontrol reconfigure, when every node has these files; it takes effect with the next job';

export const prologWay = {
  install(changes, site) {
    const conf = join(site.etc, 'slurm.conf');
    const lines = [];
    const callers = [];
    for (const [key, name] of Object.entries(SCRIPTS)) {
      const script = scriptOf(site, name);
      changes.file(script, textOf(site, name), SCRIPT);
      const own = settingOf(conf, key);
      if (isCalled(site, key)) {
        if (own === undefined) throw new Refused(`--called ${key}: ${conf} has no ${key} that could call ours`);
        if (!runs(own, script)) callers.push(`let ${own} (${key}) run ${script}`);
      } else if (own === undefined) lines.push(`${key}=${script}`);
      else if (isPattern(own)) changes.file(entryOf(own, name), caller(site, name), SCRIPT);
      else throw new Refused(refusal(conf, key, own, script));
    }
    changes.file(policyOf(site), textOf(site, 'proc_box_prolog.conf'), { comment: '#', settings: true });
    if (lines.length > 0) changes.block(conf, BLOCK, lines);
    return [...callers, NEXT].join('; ');
  },
  /** Takes two steps: Slurm drains a node whose Prolog is missing, and a running Slurm still uses the lines that it has read. */
  remove(changes, site) {
    const conf = join(site.etc, 'slurm.conf');
    for (const [key, name] of Object.entries(SCRIPTS)) {
      const own = settingOf(conf, key);
      if (own === undefined) continue;
      if (isPattern(own)) removeEntry(changes, conf, key, own, name);
      else if (runs(own, scriptOf(site, name))) {
        throw new Refused(`${own} (${key}) still runs ${scriptOf(site, name)}: remove that from it first`);
      }
    }
    changes.removeBlock(conf, BLOCK);
    const scripts = join(resolve(site.lib), 'prolog');
    if (changes.any) {
      return `scontrol reconfigure; then the same command again, on every node: ${scripts} stays until Slurm no longer uses it`;
    }
    if (isConfigured(site)) {
      throw new Refused(`the running Slurm still calls ${scripts}: run scontrol reconfigure, and try again`);
    }
    for (const name of Object.values(SCRIPTS)) changes.removeFile(scriptOf(site, name), SCRIPT);
    changes.removeFile(policyOf(site), { comment: '#' });
    return `running jobs no longer have our epilog: remove what they leave in ${site.state}`;
  },
};

function removeEntry(changes, conf, key, pattern, name) {
  const entry = entryOf(pattern, name);
  if (!existsSync(entry)) return;
  if (readdirSync(dirname(entry)).every((other) => join(dirname(entry), other) === entry)) {
    throw new Refused(
      `${entry} is the only one there, and Slurm drains nodes where ${key}=${pattern} finds nothing: remove that line from ${conf}, run scontrol reconfigure, and try again`,
    );
  }
  changes.removeFile(entry, SCRIPT);
}

function runs(path, script) {
  return existsSync(path) && readFileSync(path).includes(script);
}

/** Whether the running Slurm would still call us. If it does not answer, slurm.conf counts. */
function isConfigured(site) {
  const env = { ...process.env, SLURM_CONF: join(site.etc, 'slurm.conf') };
  const { status, stdout } = spawnSync('scontrol', ['show', 'config'], { env, encoding: 'utf8', timeout: 15_000 });
  return status === 0 && Object.values(SCRIPTS).some((name) => stdout.includes(scriptOf(site, name)));
}

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
    .replaceAll('@AGENT@', site.agent)
    .replaceAll('@OPTIONS@', optionsOf(site));
}

/** The options as words that can stand between the quotes of a shell file. */
function optionsOf({ option }) {
  const bad = option.find((word) => !/^[\w-]+(=[^\s'"\\$`]*)?$/.test(word));
  if (bad !== undefined) throw new Refused(`--option ${bad}: expected NAME=VALUE without blanks and quotes`);
  return option.map((word) => `--${word}`).join(' ');
}

/** The value of a line that is not ours. Slurm ignores the case of names. */
function settingOf(conf, key) {
  const text = readFileSync(conf, 'utf8').replace(
    new RegExp(`^# begin of ${BLOCK}:[\\s\\S]*?# end of ${BLOCK}\\n`, 'm'),
    '',
  );
  return new RegExp(`^\\s*${key}\\s*=\\s*([^\\s#]+)`, 'im').exec(text)?.[1];
}

/** With a pattern such as Prolog=/etc/slurm/prolog.d/*, Slurm runs every file in the folder. */
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
  return `${conf}: ${key}=${own} is the site's own: try again with --called ${key}, and then let it run ${script}${pattern}`;
}
