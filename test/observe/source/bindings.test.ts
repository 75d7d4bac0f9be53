import t from 'tap';
import { bindingsFor } from '../../../src/observe/source/bindings.js';

const plain = { statsKey: 'proc_box.stats', eventsKey: 'proc_box.events' };
const ofUsers = { statsKey: 'proc_box.stats.{user}', eventsKey: 'proc_box.events.{user}' };
const all = { samples: true, events: true, user: undefined };
const self = () => 'ali.ce';

t.test('keys without a user have one way to be bound', async (t) => {
  t.strictSame(bindingsFor(plain, all, self), [['proc_box.stats.#', 'proc_box.events.#']]);
  t.strictSame(bindingsFor(plain, { ...all, user: 'bob' }, self), [['proc_box.stats.#', 'proc_box.events.#']]);
  t.strictSame(bindingsFor(plain, { ...all, samples: false }, self), [['proc_box.events.#']]);
});

t.test("keys with a user: those of all users, or else only one's own", async (t) => {
  t.strictSame(bindingsFor(ofUsers, all, self), [
    ['proc_box.stats.*.#', 'proc_box.events.*.#'],
    ['proc_box.stats.ali_ce.#', 'proc_box.events.ali_ce.#'],
  ]);
  t.strictSame(
    bindingsFor(ofUsers, { ...all, events: false, user: '#' }, self),
    [['proc_box.stats._.#']],
    'no wildcard through a name',
  );
});
