import { readFileSync } from 'node:fs';
import t from 'tap';
import { allowedCpus } from '../../src/kernel/cpus.js';
import { runHere } from '../../src/kernel/run-task.js';

t.test('the CPUs of a process are those that the kernel lists', async (t) => {
  const listed = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  t.equal(runHere(allowedCpus(null)), listed);
  t.equal(runHere(allowedCpus(process.pid)), listed);
  t.equal(runHere(allowedCpus(2 ** 22 + 1)), '', 'a process that has ended');
});
