import t from 'tap';
import { belongsTo, reportOf } from '../../../src/observe/report/job-report.js';
import { facts, HOUR, report } from '../../fixtures/facts.js';

t.test('an array is one job with all its tasks, and a job of many nodes has them all', async (t) => {
  const found = report(
    { identity: { job: '1234_10', host: 'n2' } },
    { identity: { job: '1234_2', host: 'n10' } },
    { identity: { job: '1234_2', host: 'n1', node: 'n10' } },
  );
  t.strictSame(found.jobs, ['1234_2', '1234_10']);
  t.strictSame(
    found.nodes.map(({ name, boxes }) => [name, boxes]),
    [
      ['n2', 1],
      ['n10', 2],
    ],
    "the scheduler's name of a host counts",
  );
  t.match(found, { job: '1234', user: 'alice', total: { boxes: 3 } });
});

t.test('times', async (t) => {
  const at = Date.UTC(2026, 10, 30);
  const ended = reportOf('1', [facts({ atMs: at }), facts({ atMs: at + HOUR, elapsedMs: 3 * HOUR })]);
  t.match(ended, { startedMs: at - 2 * HOUR, endedMs: at + HOUR });
  t.equal(reportOf('1', [facts({ ended: false })]).endedMs, null);
  t.equal(report({}, { identity: { restart: 1 } }).earlier, 1);
});

t.test('1234 is every task of the array 1234, and nothing else', async (t) => {
  t.ok(belongsTo('1234', '1234'));
  t.ok(belongsTo('1234_7', '1234'));
  t.notOk(belongsTo('12345', '1234'));
  t.notOk(belongsTo('1234', '1234_7'));
});

t.test('a job of ten thousand boxes is no trouble', async (t) => {
  const boxes = Array.from({ length: 20_000 }, (_, index) =>
    facts({ identity: { box: `b${index}`, job: `1234_${index}`, host: `n${index % 500}` } }),
  );
  t.match(reportOf('1234', boxes), { total: { boxes: 20_000, hosts: 500 } });
});
