import t from 'tap';
import { KnownBoxes } from '../../../src/observe/report/known-boxes.js';
import { exitedMessage, sampleMessage } from '../../fixtures/observed.js';

const AT = Date.UTC(2026, 10, 30);
const put = (...messages: object[]) => {
  const boxes = new KnownBoxes();
  for (const message of messages) boxes.text(JSON.stringify(message));
  return boxes;
};
const who = { box: 'b1', job: '1234' };

t.test('an end report counts more than any sample, in any order, any number of times', async (t) => {
  const [early, late, end] = [sampleMessage(who, 3, AT), sampleMessage(who, 8, AT + 1), exitedMessage(who, 9, AT + 2)];
  for (const order of [
    [early, late, end],
    [end, late, early],
    [end, end, late, late],
  ]) {
    const [job] = put(...order).jobs('1234');
    t.match(job, { job: '1234', boxes: [{ ended: true }] });
    t.equal(job!.boxes.length, 1);
  }
  t.match(put(late, early).jobs('1234'), [{ boxes: [{ ended: false, atMs: AT + 1 }] }]);
});

t.test('the same id of another user or cluster is another job', async (t) => {
  const boxes = put(
    exitedMessage(who, 1, AT),
    exitedMessage({ ...who, box: 'b2', user: 'bob' }, 1, AT),
    exitedMessage({ ...who, box: 'b3', cluster: 'c2' }, 1, AT),
  );
  t.equal(boxes.jobs('1234').length, 3);
});

t.test('arrays are one job', async (t) => {
  const boxes = put(
    ...[1, 2].map((task) => exitedMessage({ box: `b${task}`, job: `77_${task}` }, 1, AT)),
    exitedMessage({ ...who, box: 'other' }, 1, AT),
  );
  t.match(boxes.jobs('77'), [{ job: '77', boxes: { length: 2 } }]);
  t.match(boxes.jobs('77_2'), [{ job: '77_2', boxes: { length: 1 } }]);
  t.strictSame(
    boxes.jobs(undefined).map(({ job }) => job),
    ['77', '1234'],
  );
  t.strictSame(boxes.jobs('7'), []);
});

t.test('what is no message is counted', async (t) => {
  const boxes = new KnownBoxes();
  boxes.text('x');
  boxes.value({ event: 'exited' });
  t.equal(boxes.unreadable, 2);
  t.equal(boxes.count, 0);
});
