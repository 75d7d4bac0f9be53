import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { schedulerVersions } from '../../../src/cli/check/schedulers.js';
import { checkReport } from '../../fixtures/check.js';

t.test('asks the schedulers that are installed', async (t) => {
  const folder = t.testdir({
    sinfo: '#!/bin/sh\n[ "$1" = -V ] && echo slurm-wlm 99.05.1\n',
    qstat: '#!/bin/sh\necho pbs_version = 23.06.06\n',
  });
  for (const name of ['sinfo', 'qstat']) chmodSync(join(folder, name), 0o755);
  const { PATH } = process.env;
  t.teardown(() => (process.env['PATH'] = PATH));
  process.env['PATH'] = folder;
  t.match(await schedulerVersions(), [
    { name: 'Slurm', status: 'WARN', evidence: /^99\.05\.1: not tested/ },
    { name: 'OpenPBS', status: 'PASS', evidence: '23.06.06' },
  ]);
  writeFileSync(join(folder, 'sinfo'), '#!/bin/sh\necho sinfo: error: no configuration >&2; exit 1\n');
  t.match(await schedulerVersions(), [{ name: 'OpenPBS' }], 'a program that does not say its version');
  writeFileSync(join(folder, 'slurmd'), '#!/bin/sh\necho slurm 22.05.8\n', { mode: 0o755 });
  t.match(await schedulerVersions(), [{ name: 'Slurm', status: 'PASS' }, {}], 'on a node without clients');
  process.env['PATH'] = '/nonexistent';
  t.strictSame(await schedulerVersions(), []);
});

t.test('proc_box check has a line for each', async (t) => {
  const folder = t.testdir({ sinfo: '#!/bin/sh\necho slurm 99.05.1\n' });
  chmodSync(join(folder, 'sinfo'), 0o755);
  const { row, status } = checkReport(t, [], { env: { PATH: `${folder}:${process.env['PATH']}` } });
  t.equal(status, 0, 'a version that was not tested is no failure');
  t.match(row('Slurm'), { status: 'WARN', evidence: /^99\.05\.1: not tested/ });
  t.match(row('Node').evidence, process.version.slice(1));
});
