import t from 'tap';
import { Account, Accounts, FRAMES_PER_SEC, QUESTIONS_PER_SEC } from '../../src/agent/accounts.js';
import type { HostedBox } from '../../src/agent/hosting.js';

const box = (): HostedBox => ({ box: undefined, onKeeper() {}, released() {} });

t.test('boxes, users and connections are counted as they come and go', async (t) => {
  const accounts = new Accounts();
  const [one, two] = [accounts.of(1), accounts.of(2)];
  t.equal(accounts.of(1), one);
  const boxes = [box(), box()] as const;
  accounts.addWaiting(one);
  accounts.addBox(one, boxes[0]);
  accounts.addBox(one, boxes[1]);
  accounts.addBox(two, box());
  t.match(accounts, { boxes: 3, users: 2, waiting: 1 });
  t.strictSame([...accounts.all()], [one, two]);
  accounts.removeWaiting(one);
  accounts.removeBox(one, boxes[0]);
  accounts.removeBox(one, boxes[0]);
  t.match(accounts, { boxes: 2, users: 2, waiting: 0 });
  accounts.removeBox(one, boxes[1]);
  t.match(accounts, { boxes: 1, users: 1 });
});

t.test('so much in a second, and again in the next', async (t) => {
  const { frames, questions } = new Account();
  for (let count = 0; count < FRAMES_PER_SEC; count++) if (!frames.take(5_000)) t.fail(`frame ${count}`);
  t.notOk(frames.take(5_900));
  t.ok(frames.take(6_100));
  for (let count = 0; count < QUESTIONS_PER_SEC; count++) questions.take(5_000);
  t.notOk(questions.take(5_000));
});

t.test('the uids of one person do not fill the memory', async (t) => {
  const accounts = new Accounts();
  const kept = accounts.of(1);
  accounts.addWaiting(kept);
  for (let uid = 10; uid < 5_000; uid++) accounts.of(uid);
  t.ok([...accounts.all()].length < 1_100);
  t.equal(accounts.of(1), kept);
});
