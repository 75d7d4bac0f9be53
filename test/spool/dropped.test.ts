import t from 'tap';
import { droppedEvent, sumOf } from '../../src/spool/dropped.js';
import { jobIdentity } from '../fixtures/light.js';

const lost = { no_room: 1, too_old: 20, damaged: 300, refused: 4000 };

t.test('the lost messages are counted together', async (t) => {
  t.equal(sumOf(lost), 4321);
  t.equal(sumOf({ no_room: 0, too_old: 0, damaged: 0, refused: 0 }), 0);
});

t.test('their event takes the place of the first of them in the sequence of their box', async (t) => {
  const identity = jobIdentity({ box: 'b9' });
  const beforeSec = Math.floor(Date.now() / 1000);
  const { options, body } = droppedEvent(identity, 17, lost);
  t.match(options, {
    persistent: true,
    contentType: 'application/json',
    messageId: 'b9-17',
    type: 'proc_box.event',
    appId: 'proc_box',
  });
  t.ok(Number(options['timestamp']) >= beforeSec && Number(options['timestamp']) <= Date.now() / 1000);
  const { time, ...event } = JSON.parse(body);
  t.equal(new Date(time).toISOString(), time);
  t.strictSame(event, {
    event: 'spool_dropped',
    version: 1,
    sequence: 17,
    identity,
    state: 'ended',
    messages: 4321,
    ...lost,
  });
});
