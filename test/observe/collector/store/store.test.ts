// test-timeout: 300s
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createLogger } from '../../../../src/log.js';
import { Intake } from '../../../../src/observe/collector/consume/intake.js';
import { Boxes } from '../../../../src/observe/collector/live/boxes.js';
import { type Database, DatabaseError, endOfWeek, weekOf } from '../../../../src/observe/collector/store/database.js';
import { openPostgres } from '../../../../src/observe/collector/store/postgres.js';
import {
  alerts,
  commands,
  eventsOf,
  history,
  jobBoxes,
  pointsOf,
  recordCommand,
} from '../../../../src/observe/collector/store/queries.js';
import { applyRetention } from '../../../../src/observe/collector/store/retention.js';
import { openSqlite } from '../../../../src/observe/collector/store/sqlite.js';
import { Store } from '../../../../src/observe/collector/store/store.js';
import { seriesOf } from '../../../../src/observe/collector/store/timeline.js';
import { connectSqlite } from '../../../fixtures/collected.js';
import { eventMessage, exitedMessage, sampleMessage, type Who } from '../../../fixtures/observed.js';
import { startPostgres } from '../../../fixtures/postgres.js';

const NOW_MS = Date.parse('2026-11-25T12:00:00Z');
const DAY_MS = 86_400_000;
const log = createLogger('error', { write: () => {} });

/** A collector's inner half on a store, whose clock is given. */
async function intakeOn(database: Database, nowMs: () => number) {
  const store = new Store(database);
  await store.prepare();
  const boxes = new Boxes();
  const loaded = await store.load(nowMs(), 300_000, 0);
  const intake = new Intake({ store, boxes, loaded, resolutionMs: 0, log, nowMs });
  let acknowledged = 0;
  /** Gives messages to the intake, and waits until they are acknowledged. */
  const give = async (messages: readonly object[]) => {
    const before = acknowledged;
    const done = new Promise<void>((resolve) => {
      for (const [index, message] of messages.entries()) {
        const body = Buffer.from(JSON.stringify(message));
        intake.take({
          body,
          ack: () => {
            acknowledged = before + index + 1;
            if (index === messages.length - 1) resolve();
          },
        });
      }
    });
    await done;
  };
  return { store, boxes, intake, give };
}

const sequencesOf = async (database: Database, boxes: Boxes, id: string) => {
  const box = boxes.get(id) ?? (await new Store(database).find([id]))[0]!;
  const { points, thinned } = await pointsOf(database, box);
  return { sequences: seriesOf(id, points, null, false).sequence, thinned, box };
};

function samples(who: Who, from: number, to: number, atMs = NOW_MS - 1_000_000): object[] {
  return Array.from({ length: to - from + 1 }, (_, index) =>
    sampleMessage(who, from + index, atMs + (from + index) * 1_000),
  );
}

/** The same tests on both databases. @param reopen opens the store again, as a new process does */
function testsOf(t: Test, open: () => Promise<Database>, drop: () => Promise<void>): void {
  t.afterEach(drop);

  t.test('messages are kept once, whatever comes again', async (t) => {
    const database = await open();
    const { give, intake, boxes } = await intakeOn(database, () => NOW_MS);
    const who = { box: 'b1', job: '77', user: 'alice' };
    await give([...samples(who, 2, 50), eventMessage(who, 1, NOW_MS, 'started', { executable: 'app' })]);
    await give([...samples(who, 2, 60), eventMessage(who, 1, NOW_MS, 'started', { executable: 'app' })]);
    t.match(intake.counts, { samples: 59, events: 1, duplicates: 50 });
    const { sequences, box } = await sequencesOf(database, boxes, 'b1');
    t.strictSame(
      sequences,
      Array.from({ length: 59 }, (_, index) => index + 2),
    );
    t.match(box, { samples: 59, events: 1, executable: 'app', missing: 0 });
    t.equal((await eventsOf(database, [box], 0, 10)).length, 1);
    await database.close();
  });

  t.test('what was acknowledged is there after the process has died', async (t) => {
    let database = await open();
    const first = await intakeOn(database, () => NOW_MS);
    const [one, other] = [
      { box: 'b1', job: '1_7' },
      { box: 'b2', job: '1_8' },
    ];
    await first.give([...samples(one, 1, 40), ...samples(other, 1, 5), exitedMessage(other, 6, NOW_MS)]);
    await first.give(samples(one, 41, 45));
    // No word of goodbye: the next one finds what is on disk.
    await database.close();
    database = await open();
    const { boxes, give, intake } = await intakeOn(database, () => NOW_MS);
    t.strictSame(
      (await sequencesOf(database, boxes, 'b1')).sequences,
      Array.from({ length: 45 }, (_, index) => index + 1),
    );
    t.match(boxes.get('b1'), { samples: 45, state: 'running', end: null });
    t.match(boxes.get('b2'), { samples: 5, events: 1, state: 'ended', end: { reason: 'timeout' } });
    await give([...samples(one, 30, 46), exitedMessage(other, 6, NOW_MS)]);
    t.equal(intake.counts.duplicates, 17, 'and knows it again');
    t.equal(boxes.get('b1')?.samples, 46);
    t.equal((await jobBoxes(database, '1')).length, 2, 'an array has its tasks');
    await database.close();
  });

  t.test('a late message of a box that was forgotten finds its box', async (t) => {
    const database = await open();
    const { boxes, give, intake } = await intakeOn(database, () => NOW_MS);
    const who = { box: 'b1' };
    await give([...samples(who, 1, 3), exitedMessage(who, 5, NOW_MS)]);
    boxes.remove(boxes.get('b1')!);
    await give([...samples(who, 2, 4), exitedMessage(who, 5, NOW_MS)]);
    t.match(intake.counts, { duplicates: 3 });
    t.match(boxes.get('b1'), { samples: 4, state: 'ended', missing: 0 });
    t.strictSame((await sequencesOf(database, boxes, 'b1')).sequences, [1, 2, 3, 4]);
    await database.close();
  });

  t.test('nobody speaks for the box of another', async (t) => {
    const database = await open();
    const { boxes, give, intake } = await intakeOn(database, () => NOW_MS);
    await give([...samples({ box: 'b1', user: 'alice' }, 1, 2), ...samples({ box: 'b1', user: 'mallory' }, 3, 9)]);
    t.equal(boxes.get('b1')?.samples, 2);
    t.strictSame(intake.counts.refused, { other_identity: 7 });
    await database.close();
  });

  t.test('names and texts are data, whatever they hold', async (t) => {
    const database = await open();
    const { give, boxes } = await intakeOn(database, () => NOW_MS);
    const odd = `'; DROP TABLE box; --<script>"\\\u001b[2J\u202e\ud800\0%_?$1`;
    const who = { box: `b${odd}`, job: `j${odd}`, user: `u${odd}`, host: `h${odd}` };
    await give([
      ...samples(who, 1, 2),
      eventMessage(who, 3, NOW_MS, `e${odd}`, { [odd]: odd }),
      exitedMessage(who, 4, NOW_MS, { why: odd }),
    ]);
    const [box] = [...boxes.all()];
    const found = await history(database, { ...ALL, user: box!.identity.user, prefix: "j'; DROP" });
    t.equal(found.length, 1);
    t.equal(found[0]?.identity.job, box?.identity.job);
    t.equal((await eventsOf(database, found, 0, 10)).length, 2);
    t.equal((await sequencesOf(database, boxes, box!.identity.box)).sequences.length, 2);
    await database.close();
  });

  t.test('history pages through everything once, and shows users only their own', async (t) => {
    const database = await open();
    const { give } = await intakeOn(database, () => NOW_MS);
    for (let index = 0; index < 25; index++) {
      const who = {
        box: `b${index}`,
        job: `${index % 5}`,
        user: index % 2 === 0 ? 'alice' : 'bob',
        host: `n${index % 3}`,
      };
      await give([
        sampleMessage(who, 1, NOW_MS - index * 1_000),
        exitedMessage(who, 2, NOW_MS - index * 1_000, { reason: index % 2 === 0 ? 'oom' : 'exited' }),
      ]);
    }
    const seen: string[] = [];
    for (let after: { updatedMs: number; box: string } | undefined; ; ) {
      const page = await history(database, { ...ALL, after, limit: 7 });
      seen.push(...page.map(({ identity }) => identity.box));
      const last = page.at(-1);
      if (last === undefined) break;
      after = { updatedMs: last.updatedMs, box: last.identity.box };
    }
    t.strictSame(
      seen,
      Array.from({ length: 25 }, (_, index) => `b${index}`),
    );
    const count = async (more: object) => (await history(database, { ...ALL, ...more })).length;
    t.equal(await count({ visibleTo: 'alice' }), 13);
    t.equal(await count({ visibleTo: 'alice', user: 'bob' }), 0);
    t.equal(await count({ reason: 'oom' }), 13);
    t.equal(await count({ job: '3', host: 'n0' }), 2);
    t.equal(await count({ prefix: 'bo' }), 12);
    t.equal(await count({ fromMs: NOW_MS - 4_000, toMs: NOW_MS }), 5);
    await database.close();
  });

  t.test('old time lines are thinned before their week goes, and the rest goes later', async (t) => {
    const database = await open();
    let nowMs = NOW_MS;
    const { give, boxes } = await intakeOn(database, () => nowMs);
    const who = { box: 'b1' };
    for (let round = 0; round < 12; round++) await give(samples(who, round * 50 + 1, round * 50 + 50));
    nowMs += 7 * DAY_MS;
    await give([...samples(who, 601, 640, nowMs - 1_000_000), exitedMessage(who, 641, nowMs)]);
    t.equal((await database.weeks('series')).length, 2);
    nowMs = endOfWeek(weekOf(NOW_MS)) + 3 * DAY_MS;
    await applyRetention(database, { fullMs: 2 * DAY_MS, thinMs: 100 * DAY_MS }, nowMs, () => false);
    t.strictSame(await database.weeks('series'), [weekOf(NOW_MS + 7 * DAY_MS)]);
    const { sequences, thinned } = await sequencesOf(database, boxes, 'b1');
    t.ok(thinned);
    t.ok(sequences.length > 200 && sequences.length <= 281, `${sequences.length} points`);
    t.equal(sequences.at(-1), 640);
    const again = await applyRetention(database, { fullMs: 2 * DAY_MS, thinMs: 100 * DAY_MS }, nowMs, () => false);
    t.equal(again, 0);
    await applyRetention(database, { fullMs: DAY_MS, thinMs: DAY_MS }, nowMs + 300 * DAY_MS, () => false);
    t.strictSame(await database.weeks('series'), []);
    t.strictSame(await database.weeks('events'), []);
    t.equal((await history(database, ALL)).length, 1, 'the end report stays for good');
    await database.close();
  });

  t.test('the audit trail keeps how a command ended', async (t) => {
    const database = await open();
    await new Store(database).prepare();
    const record = {
      id: 'c1',
      at_ms: 5,
      user: 'alice',
      command: 'kill',
      arguments: ['TERM'],
      target: { job: '1' },
      outcome: 'sending',
      answers: 0,
      refused: 0,
    } as const;
    await recordCommand(database, record);
    await recordCommand(database, { ...record, outcome: 'complete', answers: 2, refused: 1 });
    t.strictSame(await commands(database, null, 10), [{ ...record, outcome: 'complete', answers: 2, refused: 1 }]);
    t.strictSame(await commands(database, 'bob', 10), []);
    t.strictSame(await alerts(database, null, 10), []);
    t.ok((await database.size()) > 0);
    await database.maintain();
    await database.close();
  });

  t.test('only one collector has the store', async (t) => {
    const database = await open();
    await t.rejects(open(), /another has it/);
    await database.close();
    await (await open()).close();
  });
}

const ALL = {
  visibleTo: null,
  job: undefined,
  user: undefined,
  host: undefined,
  reason: undefined,
  prefix: undefined,
  fromMs: undefined,
  toMs: undefined,
  after: undefined,
  limit: 100,
};

t.test('SQLite', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'proc_box-store-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const open = async () => {
    const database = openSqlite(join(folder, 'store'), connectSqlite());
    if (database === null) throw new Error('another has it');
    return database;
  };
  testsOf(t, open, async () => rmSync(join(folder, 'store'), { recursive: true, force: true }));
  t.end();
});

const postgres = await startPostgres();
t.teardown(() => postgres?.stop());

t.test('PostgreSQL', { skip: postgres === null && 'needs a PostgreSQL server' }, async (t) => {
  const server = postgres!;
  const open = async () => {
    const database = await openPostgres(server.uri);
    if (database === null) throw new Error('another has it');
    return database;
  };
  const drop = async () => {
    const database = await open();
    await database.run('DROP SCHEMA proc_box CASCADE');
    await database.close();
  };
  testsOf(t, open, drop);
  t.test('a server that is not there now is waited for, and a wrong login is not', async (t) => {
    const error: Error = await openPostgres('postgres://proc_box:secret@127.0.0.1:1/x').then(
      () => new Error('it opened'),
      (failure) => failure,
    );
    t.equal(error.name, 'DatabaseError');
    t.notMatch(error.message, /secret/);
    await t.rejects(openPostgres(server.uri.replace('/postgres', '/nothing')), { name: 'EnvironmentError' });
  });
  t.test('a commit that the crash of the server interrupts is no longer ours', async (t) => {
    const database = await open();
    await new Store(database).prepare();
    await server.crash();
    await t.rejects(database.run('SELECT 1'), DatabaseError);
    await server.start();
    await t.rejects(database.run('SELECT 1'), DatabaseError, 'the lock went with the connection');
    await database.close();
  });
});
