import t from 'tap';
import { averagePercent, jobKey, rowOf, totalsOf } from '../../../../src/observe/collector/live/row.js';
import { boxWith, exitOf, runningBox, START_MS, sampleOf } from '../../../fixtures/collected.js';

t.test('a row shows a box, and null for what is unknown', async (t) => {
  const box = runningBox({ box: 'b', job: '7' }, { Limits: { cpus: { value: 1.5 }, memory: { value: 1e9 } } });
  t.match(rowOf(box, START_MS), {
    box: 'b',
    state: 'running',
    silent: false,
    cpu_percent: 61.1,
    cpu_limit_cores: 1.5,
    memory_bytes: 331067392,
    memory_limit_bytes: 1e9,
    pressure_cpu_percent: 0.12,
    pressure_io_percent: null,
    pressure_scope: 'cgroup',
    reason: null,
  });
  t.equal(Math.round(averagePercent(box)), 61);
  t.ok(
    Object.values(rowOf(runningBox({ box: 'c' }, { Timer: null, Limits: null }), START_MS)).every(
      (value) => !Number.isNaN(value),
    ),
  );
});

t.test('totals count what runs', async (t) => {
  const who = { box: 'c', job: '8', user: 'bob', host: 'n2' };
  const ended = boxWith([sampleOf(who, 1), exitOf(who, 2)]);
  const totals = totalsOf([runningBox({ box: 'a', job: '7' }), runningBox({ box: 'b', job: '7' }), ended], START_MS);
  t.match(totals, { boxes: 3, jobs: 1, users: 1, hosts: 1, by_state: { running: 2, ended: 1 }, processes: 4 });
  t.equal(totals.memory_bytes, 2 * 331067392);
});

t.test('jobs of other clusters and users are other jobs', async (t) => {
  const keys = [jobKey({ cluster: 'a', user: 'x', job: '1' }), jobKey({ cluster: null, user: 'x', job: '1' })];
  t.equal(new Set([...keys, jobKey({ cluster: 'a', user: 'y', job: '1' })]).size, 3);
});
