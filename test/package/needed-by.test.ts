import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { VERBS } from '../../src/options/table/verbs.js';
import { temporaryFolder } from '../fixtures/run.js';

/** What keeps the packages from being removed. */

const SCRIPT = join(dirname(fileURLToPath(import.meta.url)), '../../scripts/package/scriptlets/needed-by');
const OURS = '/usr/lib/proc_box/bin/proc_box';

function system(t: Test, files: Readonly<Record<string, string>>): string {
  const root = temporaryFolder(t);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

interface Process {
  readonly parent?: number;
  readonly words?: readonly string[];
}

function addProcess(root: string, pid: number, executable: string, name: string, more: Process = {}): void {
  const { parent = 1, words = [name] } = more;
  const folder = join(root, 'proc', String(pid));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'stat'), `${pid} (${name}) S ${parent} ${pid} ${pid} 0 -1\n`);
  writeFileSync(join(folder, 'cmdline'), words.map((word) => `${word}\0`).join(''));
  symlinkSync(executable, join(folder, 'exe'));
  writeFileSync(join(folder, 'comm'), `${name}\n`);
}

function neededBy(root: string) {
  const { PATH } = process.env;
  const { status, stdout, stderr } = spawnSync('sh', [SCRIPT, '--root', root], { encoding: 'utf8', env: { PATH } });
  return { status, said: stdout.split('\n').filter(Boolean), stderr };
}

t.test('a system that does not mention proc_box needs nothing', async (t) => {
  const root = system(t, {
    'etc/slurm/slurm.conf': 'ClusterName=x\n# Prolog=/usr/bin/proc_box\nProlog=/opt/proc_box-2.0.0/bin/proc_box\n',
    'etc/slurm/plugstack.conf': 'optional my_proc_box_like.so\n',
    'etc/pbs.conf': 'PBS_HOME=/var/spool/pbs\n',
    'var/spool/pbs/server_priv/hooks/other.CF': '{}',
  });
  addProcess(root, 7, '/opt/other/bin/proc_box', 'proc_box-keeper');
  addProcess(root, 8, OURS, 'proc_box');
  t.strictSame(neededBy(root), { status: 0, said: [], stderr: '' });
});

t.test('running boxes are counted, also after an upgrade has replaced their executable', async (t) => {
  const root = system(t, {});
  addProcess(root, 7, OURS, 'proc_box-keeper');
  addProcess(root, 8, OURS, 'proc_box-guard');
  addProcess(root, 9, `${OURS} (deleted)`, 'proc_box-keeper');
  const { status, said } = neededBy(root);
  t.equal(status, 1);
  t.match(said, [/^2 running box\(es\), of the processes 7 9; /]);
});

t.test('a service or a tool is no box, although it has a keeper', async (t) => {
  for (const verb of VERBS.filter((verb) => verb !== 'adopt')) {
    const root = system(t, {});
    addProcess(root, 7, OURS, 'proc_box', { words: ['/usr/bin/proc_box', verb, '--config', 'x'] });
    addProcess(root, 8, OURS, 'proc_box-keeper', { parent: 7 });
    t.strictSame(neededBy(root), { status: 0, said: [], stderr: '' }, verb);
  }
  for (const words of [
    ['proc_box', '--', 'agent'],
    ['proc_box', 'adopt'],
    ['proc_box', './agent'],
  ]) {
    const root = system(t, {});
    addProcess(root, 7, OURS, 'proc_box', { words });
    addProcess(root, 8, OURS, 'proc_box-keeper', { parent: 7 });
    t.match(neededBy(root).said, [/^1 running box/], words.join(' '));
  }
});

t.test('files of Slurm are named with the line', async (t) => {
  for (const [file, text, line] of [
    ['etc/slurm/slurm.conf', 'A=1\nProlog=/usr/lib/proc_box/scripts/site/slurm/prolog/prolog\n', 2],
    ['etc/slurm/slurm.conf', 'TaskProlog=/usr/bin/proc_box\n', 1],
    ['etc/slurm/prolog.d/10-box', '#!/bin/sh\n# proc_box\nexec proc_box adopt --pid $$\n', 3],
    ['etc/slurm-llnl/job_submit.lua', '\nlocal box = "proc_box"\n', 2],
  ] as const) {
    const { status, said } = neededBy(system(t, { [file]: text }));
    t.equal(status, 1, file);
    t.match(said.join('\n'), new RegExp(`^Slurm \\(.*/${file}, line ${line}\\); `), file);
  }
  const block = neededBy(system(t, { 'etc/slurm/plugstack.conf': '# begin of proc_box spank:\noptional x.so\n' }));
  t.match(block.said.join('\n'), /^Slurm \(.*plugstack\.conf has a block of proc_box\)/);
});

t.test('a hook of PBS is named, wherever PBS has its folder', async (t) => {
  const root = system(t, {
    'etc/pbs.conf': 'PBS_EXEC=/opt/pbs\nPBS_HOME=/srv/pbs\n',
    'srv/pbs/server_priv/hooks/box.CF': '{"proc_box": "/usr/bin/proc_box"}',
  });
  const { status, said } = neededBy(root);
  t.equal(status, 1);
  t.match(said, [/^the PBS hook box \(/]);
});
