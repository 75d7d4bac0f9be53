import t from 'tap';
import { BoxQueue, Parcel, User } from '../../src/node-link/box-queue.js';
import { Lane } from '../../src/node-link/lane.js';
import { TokenBucket } from '../../src/node-link/token-bucket.js';
import { notingLogger, sample, until } from '../fixtures/broker.js';

function make() {
  const { log } = notingLogger();
  const left: string[] = [];
  const lane = new Lane({
    messageTimeoutMs: 0,
    log,
    onLeft: (parcel, delivered) => {
      parcel.queue.forget(parcel);
      if (delivered) left.push(parcel.messageId);
    },
  });
  const sent: string[] = [];
  const confirms: (() => void)[] = [];
  const attach = () =>
    lane.attach(
      ({ options }, done) => {
        sent.push(String(options.messageId));
        confirms.push(() => done('confirmed'));
      },
      () => {},
    );
  const user = (uid: number, perSec = 0) => new User(uid, new TokenBucket(perSec, 1));
  const push = (owner: User, box: string, count: number) => {
    const queue = new BoxQueue(owner, ({ messageId }, content) => ({
      exchange: '',
      routingKey: '',
      content,
      options: { messageId },
    }));
    for (let n = 1; n <= count; n++) queue.wait(new Parcel(sample(box, n), queue, 0));
    lane.update(queue);
    return queue;
  };
  return { lane, left, sent, confirms, attach, user, push };
}

t.test('users take turns, and so do the boxes of a user; each box keeps its order', async (t) => {
  const { attach, user, push, sent, confirms, left, lane } = make();
  attach();
  const [one, two] = [user(1), user(2)];
  push(one, 'flood', 300);
  push(one, 'a', 2);
  push(two, 'b', 2);
  t.equal(sent.length, 256, 'a window');
  while (confirms.length > 0) confirms.shift()!();
  const after = sent.slice(256);
  t.strictSame(after.slice(0, 8), ['flood-257', 'b-1', 'a-1', 'b-2', 'flood-258', 'a-2', 'flood-259', 'flood-260']);
  t.equal(left.length, 304);
  t.ok(lane.isEmpty);
});

t.test('a user whose rate is used up waits, and others do not', async (t) => {
  const { attach, user, push, sent, lane } = make();
  attach();
  push(user(1, 50), 'slow', 3);
  push(user(2), 'b', 3);
  t.strictSame(sent, ['slow-1', 'b-1', 'b-2', 'b-3']);
  await until(() => sent.length === 6, 'the rest');
  lane.close();
});

t.test('after a lost link everything that is not confirmed is sent again, in order', async (t) => {
  const { attach, user, push, sent, confirms, lane } = make();
  attach();
  push(user(1), 'a', 4);
  confirms.shift()!();
  lane.detach();
  sent.length = 0;
  attach();
  t.strictSame(sent, ['a-2', 'a-3', 'a-4']);
});
