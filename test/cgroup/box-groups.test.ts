import t from 'tap';
import { BOX_GROUPS, boxGroupName, isBoxGroup } from '../../src/cgroup/box-groups.js';

const BOX = '6a2b3c4d5e6f708192a3';

t.test('a name has the box and what tells people whose it is', async (t) => {
  t.equal(boxGroupName(BOX, []), `proc_box-${BOX}`);
  t.equal(boxGroupName(BOX, ['17.0.3']), `proc_box-${BOX}-17.0.3`);
});

t.test('a group of a box is told by its name', async (t) => {
  t.equal(BOX.length, BOX_GROUPS.idDigits);
  for (const name of [boxGroupName(BOX, []), boxGroupName(BOX, ['17.0.3'])]) t.ok(isBoxGroup(name), name);
  for (const name of [
    `proc_box-${BOX.slice(1)}`,
    'proc_box-check0a1b2c3d',
    `proc_box-x${BOX}`,
    `a-${boxGroupName(BOX, [])}`,
  ])
    t.notOk(isBoxGroup(name), name);
});
