import t from 'tap';
import { addressingKeys, keySegment, outgoingKey } from '../../src/amqp/keys.js';
import { fakeBox } from '../fixtures/broker.js';

const { identity } = fakeBox({ host: 'n1.site.org', job: '12[7].srv', user: 'a b', box: 'x1' });

t.test('binds the key itself and one key for each way to address the box', async (t) => {
  t.strictSame(addressingKeys(['K'], identity), [
    'K',
    'K.host.n1_site_org',
    'K.job.12[7]_srv',
    'K.user.a_b',
    'K.user.a_b.job.12[7]_srv',
    'K.box.x1',
  ]);
});

t.test('binds them for every routing key, each once', async (t) => {
  t.equal(addressingKeys(['K', 'L', 'K'], identity).length, 12);
});

t.test('leaves out a key that AMQP cannot carry', async (t) => {
  const keys = addressingKeys(['K'], { ...identity, job: 'j'.repeat(300) });
  t.equal(keys.length, 4);
  t.ok(keys.every((key) => Buffer.byteLength(key) <= 255));
});

t.test('replaces what a segment cannot hold', async (t) => {
  for (const [text, segment] of [
    ['a.b', 'a_b'],
    ['*', '_'],
    ['#', '_'],
    ['a\tb\n', 'a_b_'],
    ['', '_'],
    ['µ-1', 'µ-1'],
  ] as const) {
    t.equal(keySegment(text), segment);
  }
});

t.test('keeps the dots of the hostname in the keys of statistics', async (t) => {
  t.equal(outgoingKey('proc_box.stats', 'n1.site.org'), 'proc_box.stats.n1.site.org');
  t.equal(outgoingKey('s', 'a*b#c d'), 's.a_b_c_d');
  t.equal(outgoingKey('s', 'h'.repeat(300)), 's');
});
