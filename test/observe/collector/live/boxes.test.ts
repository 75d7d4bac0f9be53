import t from 'tap';
import { Boxes } from '../../../../src/observe/collector/live/boxes.js';
import { runningBox } from '../../../fixtures/collected.js';

t.test('boxes are found by user, host and job, and leave nothing behind', async (t) => {
  const boxes = new Boxes();
  const [one, other] = [
    runningBox({ box: 'a', job: '1', user: 'alice', host: 'n1' }),
    runningBox({ box: 'b', job: '1', user: 'alice', host: 'n2' }),
  ];
  boxes.add(one);
  boxes.add(other);
  t.strictSame(
    [[...boxes.ofUser('alice')].length, [...boxes.ofHost('n1')].length, [...boxes.ofJob('1')].length],
    [2, 1, 2],
  );
  boxes.remove(one);
  boxes.remove(one);
  t.equal(boxes.size, 1);
  t.strictSame([...boxes.ofHost('n1')], []);
  boxes.remove(other);
  t.strictSame([[...boxes.users()].length, [...boxes.hosts()].length, [...boxes.all()].length], [0, 0, 0]);
});
