// test-beside
// test-timeout: 900s
/** Control groups v2 on a real kernel: root, an ordinary user, scopes of systemd. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { PROC_BOX } from '../fixtures/run.js';
import { runInVm } from '../fixtures/vm.js';
import { limitsAreThere } from './inner/enabled.js';

const inner = join(dirname(fileURLToPath(import.meta.url)), 'inner');
const files = [join(inner, 'run.ts'), ...(limitsAreThere ? [join(inner, 'limits.ts')] : [])];
const run = { files, timeoutMs: 430_000, env: { PROC_BOX_UNDER_TEST: PROC_BOX } };

t.test('root and ordinary users', (t) => runInVm(t, run));
t.test('processes that run already', (t) => runInVm(t, { ...run, files: [join(inner, 'adopt.ts')] }));
t.test('scopes of systemd', (t) => runInVm(t, { ...run, systemd: true }));
