import t from 'tap';
import { Refusals } from '../../src/agent/refusals.js';
import { createLogger } from '../../src/log.js';
import { until } from '../fixtures/processes.js';

function logged(quietMs?: number) {
  const lines: string[] = [];
  return { refusals: new Refusals(createLogger('info', { write: (line) => lines.push(line) }), quietMs), lines };
}

const LATE = { kind: 'late', why: 'it said nothing' } as const;

t.test('one line for a user and kind, and later how many more', async (t) => {
  const { refusals, lines } = logged();
  for (let count = 0; count < 1_000; count++) refusals.tell(7, `connection ${count}`, LATE);
  refusals.tell(7, 'another', { kind: 'flood', why: 'it sends too much' });
  refusals.tell(8, 'one of 8', LATE);
  t.strictSame(lines, [
    'proc_box: warn: connection 0 is closed: it said nothing\n',
    'proc_box: warn: another is closed: it sends too much\n',
    'proc_box: warn: one of 8 is closed: it said nothing\n',
  ]);
  refusals.flush();
  t.match(lines.at(-1), /999 more lines as this of uid 7 within a minute \(late\)/);
  t.equal(lines.length, 4);
  t.equal(refusals.total, 1_002);
  refusals.tell(7, 'again', LATE);
  t.equal(lines.length, 5, 'it may be told again');
});

t.test('however many users there are, a minute has so many lines', async (t) => {
  const { refusals, lines } = logged();
  for (let uid = 0; uid < 1_000; uid++) refusals.tell(uid, `uid ${uid}`, LATE);
  t.equal(lines.length, 200);
  refusals.flush();
  t.match(lines.at(-1), /800 more lines as these within a minute/);
});

t.test('many at once count as many, and the sum is told after a while', async (t) => {
  const { refusals, lines } = logged(10);
  refusals.tell(null, 'a connection', { kind: 'descriptors', why: 'there is no descriptor' }, 5);
  t.equal(refusals.total, 5);
  await until(() => lines.length > 1, 'the sum');
  t.match(lines[1], /4 more lines as this within a minute \(descriptors\)/);
});

t.test('what the boxes of a user cause is bounded in the same way', async (t) => {
  const { refusals, lines } = logged();
  const log = refusals.logFor(7);
  for (let count = 0; count < 50; count++) log.warn(`box ${count}`);
  log.error('an error');
  log.info('not for this log');
  t.strictSame(lines, ['proc_box: warn: box 0\n']);
  refusals.flush();
  t.match(lines[1], /50 more lines as this of uid 7 within a minute \(box\)/);
  t.equal(refusals.total, 0, 'no connection was refused');
});
