#!/usr/bin/env node
/**
 * Installs proc_box at a Slurm site, or removes it; docs/slurm.md says which way suits which site.
 *
 *   site.mjs install|remove job-submit|prolog|spank [options]     --help lists them
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Changes, Refused } from './changes.mjs';
import { jobSubmitWay } from './job-submit-way.mjs';
import { prologWay } from './prolog-way.mjs';
import { parseSite, siteHelp } from './site-options.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const SHELL = { comment: '#', mode: 0o755 };

const WAYS = {
  prolog: prologWay,
  'job-submit': jobSubmitWay,
  spank: {
    install(changes, site) {
      const plugin = join(site.lib, 'spank_proc_box.so');
      changes.file(join(site.lib, 'proc_box-task'), site.text('proc_box-task'), SHELL);
      changes.file(plugin, compiled(), { mode: 0o755 });
      for (const name of ['option', 'fix']) {
        const bad = site[name].find((word) => !/^[a-zA-Z][a-zA-Z-]*(=\S*)?$/.test(word));
        if (bad !== undefined) throw new Refused(`--${name} ${bad}: expected NAME=VALUE without blanks`);
      }
      // With `required`, every srun would fail if the plugin cannot be loaded.
      const words = ['optional', plugin, `task=${join(site.lib, 'proc_box-task')}`];
      words.push(`default=${site.default}`, `failure=${site.failure}`, ...site.option);
      words.push(...site.fix.map((word) => `fix=${word}`));
      changes.block(plugstack(site), 'proc_box spank', [words.join(' ')]);
      return 'nothing; it takes effect with the next srun or sbatch, without restarting a daemon';
    },
    remove(changes, site) {
      changes.removeBlock(plugstack(site), 'proc_box spank');
      changes.removeFile(join(site.lib, 'spank_proc_box.so'));
      changes.removeFile(join(site.lib, 'proc_box-task'), SHELL);
      return 'nothing; it takes effect with the next srun or sbatch';
    },
  },
};

try {
  main();
} catch (error) {
  if (!(error instanceof Refused) && error.syscall === undefined) throw error;
  const done = error instanceof Refused ? 'nothing was changed' : 'only the changes above have been made';
  process.stderr.write(`proc_box: ${error.message}\n${done}\n`);
  process.exitCode = 1;
}

function main() {
  const say = (line) => process.stdout.write(`${line}\n`);
  const site = parseSite(process.argv.slice(2), resolve(here, '../../../bin/proc_box'));
  if (site === undefined) return say(siteHelp().trimEnd());
  if (!existsSync(join(site.etc, 'slurm.conf'))) {
    throw new Refused(`${join(site.etc, 'slurm.conf')} does not exist: name the directory of slurm.conf with --etc`);
  }
  const text = (file) =>
    readFileSync(join(here, file), 'utf8')
      .replaceAll('@PROC_BOX@', site['proc-box'])
      .replaceAll('@ETC@', site.etc)
      .replaceAll('@LIB@', site.lib);
  const changes = new Changes(say);
  const next = WAYS[site.way][site.verb](changes, { ...site, text });
  const changed = changes.apply({ dryRun: site['dry-run'] });
  say(changed ? `next: ${next}` : 'nothing to change');
}

/** The value of a line of slurm.conf that is not ours. */
function settingOf(conf, name, block) {
  const text = readFileSync(conf, 'utf8').replace(
    new RegExp(`^# begin of proc_box ${block}:[\\s\\S]*?# end of proc_box ${block}\\n`, 'm'),
    '',
  );
  return new RegExp(`^\\s*${name}\\s*=\\s*([^\\s#]+)`, 'im').exec(text)?.[1];
}

function plugstack({ etc }) {
  return resolve(settingOf(join(etc, 'slurm.conf'), 'PlugStackConfig', 'spank') ?? join(etc, 'plugstack.conf'));
}

/** Compiles against the headers of the Slurm installed here, because Slurm refuses plugins built for another release. */
function compiled() {
  const folder = mkdtempSync(join(tmpdir(), 'proc_box-spank-'));
  try {
    const output = join(folder, 'spank_proc_box.so');
    const sources = ['spank_proc_box.c', 'options.c', 'groups.c'].map((name) => join(here, 'spank', name));
    const words = ['-shared', '-Wl,-Bsymbolic', '-fPIC', '-O2', '-Wall', '-Wextra', '-o', output, ...sources];
    const { error, status, stderr } = spawnSync(process.env.CC ?? 'cc', words, { encoding: 'utf8' });
    if (error || status !== 0) {
      const why = (stderr ?? '').includes('slurm/spank.h')
        ? 'slurm/spank.h is not installed'
        : (error?.message ?? stderr);
      throw new Refused(
        `compile ${sources[0]}: ${why.trim()}; Debian: apt-get install gcc libslurm-dev; RPM: slurm-devel`,
      );
    }
    return readFileSync(output);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
