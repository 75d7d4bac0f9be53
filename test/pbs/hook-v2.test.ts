// test-command: npm run test:vm
// test-beside
// test-timeout: 900s
/** Limits that the tasks of a job on a node share, in control groups v2 on a real kernel. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { runInVm } from '../fixtures/vm.js';

const files = [join(dirname(fileURLToPath(import.meta.url)), 'inner', 'shared-limits.ts')];

t.test('tasks of a job below a MoM', (t) => runInVm(t, { files, timeoutMs: 600_000 }));
