// test-command: npm run test:vm
// test-beside
// test-timeout: 600s
// debian: slurmctld slurmd slurm-client munge libslurm-dev
/** Slurm on a kernel that has control groups v2 only. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { missingProgram } from '../../scripts/dev/slurm-cluster.mjs';
import { PROC_BOX } from '../fixtures/run.js';
import { runInVm } from '../fixtures/vm.js';

const inner = join(dirname(fileURLToPath(import.meta.url)), 'inner', 'slurm.ts');
const skip = missingProgram() ?? (existsSync('/usr/include/slurm/spank.h') ? false : 'needs libslurm-dev');

t.test('cgroup/v2', { skip }, (t) =>
  runInVm(t, { files: [inner], timeoutMs: 430_000, env: { PROC_BOX_UNDER_TEST: PROC_BOX } }),
);
