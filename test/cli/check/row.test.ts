import t from 'tap';
import { atLeast, fail, formatRow, pass, warn } from '../../../src/cli/check/row.js';

t.test('a row that passes needs no fix', async (t) => {
  t.strictSame(pass('a', 'b'), { name: 'a', status: 'PASS', evidence: 'b', fix: null });
  t.strictSame(warn('a', 'b', 'c'), { name: 'a', status: 'WARN', evidence: 'b', fix: 'c' });
  t.strictSame(fail('a', 'b', 'c'), { name: 'a', status: 'FAIL', evidence: 'b', fix: 'c' });
});

t.test('as text: a line each, a fix below it, and nothing that drives a terminal', async (t) => {
  t.equal(formatRow(pass('a', 'b')), `PASS  ${'a'.padEnd(20)} b\n`);
  t.equal(
    formatRow(warn('a', 'b\u001b[2J', 'c\nd')),
    `WARN  ${'a'.padEnd(20)} b\\u001b[2J\n${' '.repeat(22)}fix: c\\nd\n`,
  );
});

t.test('releases are compared as numbers', async (t) => {
  t.ok(atLeast('5.14.0-427.el9.x86_64', 5, 7));
  t.ok(atLeast('6.1', 5, 14));
  t.notOk(atLeast('4.18.0-553.el8', 5, 3));
  t.notOk(atLeast('5.6.19', 5, 7));
});
