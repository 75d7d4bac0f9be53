import t from 'tap';
import { createLogger } from '../../../../src/log.js';
import { Alerts } from '../../../../src/observe/collector/alerts/alerts.js';
import { openSqlite } from '../../../../src/observe/collector/store/sqlite.js';
import { connectSqlite, runningBox, START_MS } from '../../../fixtures/collected.js';

const thresholds = { memoryPercent: 95, cpuPercent: 5, cpuWindowMs: 60_000, timePercent: 90 };
const log = createLogger('error', { write: () => {} });

t.test('each alert comes once for a job, also after a restart', async (t) => {
  const folder = t.testdir();
  const boxes = [1, 2].map((index) => runningBox({ box: `b${index}`, job: '7' }, { OOM: { kills: 1 } }));
  const told: string[] = [];
  const alertsOn = (database: NonNullable<ReturnType<typeof openSqlite>>) =>
    new Alerts({ thresholds, database, deliver: async ({ alert, box }) => void told.push(`${alert} ${box}`), log });
  let database = openSqlite(folder, connectSqlite())!;
  const first = alertsOn(database);
  await first.check(boxes, true, START_MS);
  await first.check(boxes, true, START_MS + 1_000);
  t.strictSame(told, ['oom b1']);
  t.equal(first.counts.get('oom'), 1);
  await database.close();
  database = openSqlite(folder, connectSqlite())!;
  const second = alertsOn(database);
  await second.begin();
  await second.check([...boxes, runningBox({ box: 'b3', job: '8' }, { OOM: { kills: 1 } })], true, START_MS);
  t.strictSame(told, ['oom b1', 'oom b3']);
  await database.run('UPDATE alert SET told = 0 WHERE job = ?', ['8']);
  await alertsOn(database).begin();
  t.strictSame(told.at(-1), 'oom b3', 'one that was not told is told');
  await database.close();
});

t.test('boxes are not called silent right after the link was down', async (t) => {
  const database = openSqlite(t.testdir(), connectSqlite())!;
  const told: string[] = [];
  const alerts = new Alerts({ thresholds, database, deliver: async ({ alert }) => void told.push(alert), log });
  const box = runningBox({ box: 'b' });
  const late = START_MS + 1e7;
  await alerts.check([box], false, late);
  await alerts.check([box], true, late);
  await alerts.check([box], true, late + 599_000);
  t.strictSame(told, []);
  await alerts.check([box], true, late + 601_000);
  t.strictSame(told, ['box_silent']);
  await database.close();
});
