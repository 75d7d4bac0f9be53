import t from 'tap';
import { reportJson } from '../../../src/observe/report/json.js';
import { GIB, report } from '../../fixtures/facts.js';

t.test('everything in snake_case, with units last, and null for what is not known', async (t) => {
  const json = JSON.parse(
    JSON.stringify(reportJson(report({ memoryLimitBytes: 64 * GIB }, { identity: { host: 'n2' } }))),
  );
  t.match(json, {
    job: '1234',
    user: 'alice',
    started: '2026-11-30T11:00:00.000Z',
    ended: '2026-11-30T12:00:00.000Z',
    total: { boxes: 2, cores_asked: 2, cores_idle: 0 },
    nodes: [{ node: 'n2' }, { node: 'node1', memory_unused_bytes: 61 * GIB }],
    ends: [{ reason: 'exited', boxes: 2, first_box: 'b0' }],
    boxes: [{ box: 'b0', limits: { memory: { enforcement: 'cgroup2', used: 3 * GIB } } }, { box: 'b1' }],
  });
  const keys = (value: unknown): string[] =>
    typeof value !== 'object' || value === null
      ? []
      : Object.entries(value).flatMap(([key, one]) => [key, ...keys(one)]);
  for (const key of keys(json)) t.match(key, /^[a-z0-9_]+$/);
});

t.test('a time that no calendar has is null', async (t) =>
  t.match(reportJson(report({ atMs: 8.64e15, elapsedMs: 1e300 })), { started: null }),
);
