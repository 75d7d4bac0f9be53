#!/usr/bin/env node
/**
 * Puts proc_box into a Slurm site, and takes it away again; docs/slurm.md says which way is for whom.
 *
 *   site.mjs install job-submit|prolog|spank [options]   on the controller; prolog, spank: on every node; spank: also
 *   site.mjs remove  job-submit|prolog|spank [options]   where users submit
 *
 *   --etc DIR          where slurm.conf is                            (default /etc/slurm)
 *   --lib DIR          for our own files                              (default /usr/local/lib/proc_box)
 *   --proc-box PATH    the executable on the nodes                    (default this package's)
 *   --state DIR        prolog: what is known of running jobs         (default /run/proc_box)
 *   --called NAMES     ours that files of the site's own call: job_submit.lua; Prolog, TaskProlog, TaskEpilog, Epilog
 *   --failure POLICY   prolog, spank: open (default) runs a task without a box where none can be made, closed refuses it
 *   --default on|off   spank: whether tasks without --box are boxed   (default off)
 *   --option N=V       prolog, spank: an option of every box, repeatable
 *   --dry-run          only says what would change
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Changes, Refused } from './changes.mjs';
import { jobSubmitWay } from './job-submit-way.mjs';
import { prologWay } from './prolog-way.mjs';

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
      // `required` would stop every srun where the plugin cannot be loaded.
      const words = ['optional', plugin, `task=${join(site.lib, 'proc_box-task')}`];
      words.push(`default=${site.default}`, `failure=${site.failure}`, ...site.option);
      changes.block(plugstack(site), 'proc_box spank', [words.join(' ')]);
      return 'from the next srun and sbatch on; no daemon has to be restarted';
    },
    remove(changes, site) {
      changes.removeBlock(plugstack(site), 'proc_box spank');
      changes.removeFile(join(site.lib, 'spank_proc_box.so'));
      changes.removeFile(join(site.lib, 'proc_box-task'), SHELL);
      return 'from the next srun and sbatch on';
    },
  },
};

try {
  main();
} catch (error) {
  if (!(error instanceof Refused) && !String(error.code).startsWith('ERR_PARSE_ARGS')) throw error;
  process.stderr.write(`proc_box: ${error.message}\nnothing was changed\n`);
  process.exitCode = 1;
}

function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      etc: { type: 'string', default: '/etc/slurm' },
      lib: { type: 'string', default: '/usr/local/lib/proc_box' },
      'proc-box': { type: 'string', default: resolve(here, '../../bin/proc_box') },
      failure: { type: 'string', default: 'open' },
      default: { type: 'string', default: 'off' },
      state: { type: 'string', default: '/run/proc_box' },
      called: { type: 'string', default: '' },
      option: { type: 'string', multiple: true, default: [] },
      'dry-run': { type: 'boolean', default: false },
    },
  });
  const [verb, name] = positionals;
  const way = Object.hasOwn(WAYS, name ?? '') ? WAYS[name] : undefined;
  if (way === undefined || (verb !== 'install' && verb !== 'remove')) {
    throw new Refused(
      `usage: site.mjs install|remove ${Object.keys(WAYS).join('|')} [--etc DIR] [--lib DIR] [--dry-run] ...`,
    );
  }
  oneOf('failure', values.failure, ['open', 'closed']);
  oneOf('default', values.default, ['on', 'off']);
  if (!existsSync(join(values.etc, 'slurm.conf'))) {
    throw new Refused(`${join(values.etc, 'slurm.conf')} does not exist: say with --etc where slurm.conf is`);
  }
  const procBox = resolve(values['proc-box']);
  const text = (file) =>
    readFileSync(join(here, file), 'utf8')
      .replaceAll('@PROC_BOX@', procBox)
      .replaceAll('@ETC@', resolve(values.etc))
      .replaceAll('@LIB@', resolve(values.lib));
  const site = { ...values, etc: resolve(values.etc), lib: resolve(values.lib), text };
  const say = (line) => process.stdout.write(`${line}\n`);
  const changes = new Changes(say);
  const next = way[verb](changes, site);
  const changed = changes.apply({ dryRun: values['dry-run'] });
  say(changed ? `next: ${next}` : 'nothing to change');
}

function oneOf(name, value, allowed) {
  if (!allowed.includes(value)) throw new Refused(`--${name} ${value}: expected ${allowed.join(' or ')}`);
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

/** Against the headers of the Slurm that is installed here: Slurm refuses plugins of another release. */
function compiled() {
  const folder = mkdtempSync(join(tmpdir(), 'proc_box-spank-'));
  try {
    const output = join(folder, 'spank_proc_box.so');
    const source = join(here, 'spank', 'spank_proc_box.c');
    const more = join(here, 'spank', 'groups.c');
    const words = ['-shared', '-Wl,-Bsymbolic', '-fPIC', '-O2', '-Wall', '-Wextra', '-o', output, source, more];
    const { error, status, stderr } = spawnSync(process.env.CC ?? 'cc', words, { encoding: 'utf8' });
    if (error || status !== 0) {
      const why = (stderr ?? '').includes('slurm/spank.h')
        ? 'slurm/spank.h is not installed'
        : (error?.message ?? stderr);
      throw new Refused(`compile ${source}: ${why.trim()}; Debian: apt-get install gcc libslurm-dev; RPM: slurm-devel`);
    }
    return readFileSync(output);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
