import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { MessageRecord } from '../../src/spool/record.js';
import { decode, encode } from '../../src/spool/record.js';
import { collect, fakeBox, foreignClient, sharedBroker, unique } from '../fixtures/broker.js';
import { line, makeOwn, testSpool } from '../fixtures/spool.js';

/** Files in a shared spool are made by others: what they may be, and what root publishes of them. */

const uri = await sharedBroker(t);
const USER = 54_321;
const isRoot = process.geteuid?.() === 0;

function message(n: number, more: Partial<MessageRecord> = {}): MessageRecord {
  const body = JSON.stringify({ Sequence: n, Identity: { user: String(USER), box: 'b' } });
  return { n, exchange: 'amq.topic', routingKey: 'k.stats.h', options: { messageId: `b-${n}` }, body, ...more };
}

t.test('a record is taken only as it was written', async (t) => {
  const text = encode(message(1)).trimEnd();
  t.match(decode(text), { n: 1 });
  for (let at = 0; at < text.length; at += 7) {
    const changed = `${text.slice(0, at)}${text[at] === 'x' ? 'y' : 'x'}${text.slice(at + 1)}`;
    t.equal(decode(changed), undefined, `changed at ${at}`);
  }
  for (const options of [
    { userId: 'root' },
    { replyTo: 'x' },
    { CC: 'other' },
    { BCC: ['other'] },
    { mandatory: true },
    { headers: { CC: ['other'] } },
    { headers: { BCC: ['other'] } },
    { messageId: 7 },
  ]) {
    t.equal(decode(encode(message(1, { options })).trimEnd()), undefined, JSON.stringify(options));
  }
  t.match(decode(encode(message(1, { options: { headers: { site: 's' }, priority: 3 } })).trimEnd()), { n: 1 });
});

t.test('links, FIFOs, files of others and open modes are not touched', { skip: !isRoot && 'needs root' }, async (t) => {
  const spool = testSpool(t);
  const own = makeOwn(spool, USER);
  chmodSync(spool.dir, 0o1777);
  const secret = join(spool.dir, 'secret');
  writeFileSync(secret, line(message(1)), { mode: 0o600 });
  symlinkSync(secret, join(own, 'symbolic.spool'));
  linkSync(secret, join(own, 'hard.spool'));
  execFileSync('mkfifo', ['-m', '600', join(own, 'fifo.spool')]);
  mkdirSync(join(own, 'directory.spool'));
  writeFileSync(join(own, 'root.spool'), line(message(1)), { mode: 0o600 });
  writeFileSync(join(own, 'open.spool'), line(message(1)), { mode: 0o644 });
  for (const name of ['fifo.spool', 'open.spool']) chownSync(join(own, name), USER, USER);
  chownSync(own, USER, USER);
  symlinkSync('/etc', join(spool.dir, '7'));
  mkdirSync(join(spool.dir, '8'), { mode: 0o700 });

  const flushed = await spool.run('flush', '-uri', uri, '-skey', 'k.stats', '-ekey', 'k.events');
  t.match(flushed, { status: 1, stdout: /delivered 0 messages of 0 files; 6 files are left/ });
  for (const [name, why] of [
    ['symbolic', 'it is not a regular file'],
    ['hard', 'it belongs to uid 0|second name'],
    ['fifo', 'it is not a regular file'],
    ['directory', 'it is not a regular file'],
    ['root', 'it belongs to uid 0'],
    ['open', 'others may read or write it'],
  ] as const) {
    t.match(flushed.stderr, new RegExp(`${name}\\.spool was left alone: .*(${why})`), name);
  }
  t.match(flushed.stderr, /spool \S+\/7: it is not a directory/);
  t.match(flushed.stderr, /spool \S+\/8: it belongs to uid 0 with mode 0700; expected uid 8/);
  t.match(await spool.run('list'), { status: 0, stdout: /not trusted/ });
});

t.test(
  'forged messages in a file of a user are refused, the others delivered',
  { skip: !isRoot && 'needs root' },
  async (t) => {
    const spool = testSpool(t);
    const own = makeOwn(spool, USER);
    const name = unique('k');
    const routingKey = `${name}.stats.h`;
    const { channel } = await foreignClient(t, uri);
    const arrived = await collect(channel, 'amq.topic', `${name}.#`);
    const { identity } = fakeBox({ user: String(USER), box: 'b' });
    const text = [
      line({ spool: 1, identity, from: 1, first: 1 }),
      line(message(1, { routingKey })),
      line(message(2, { routingKey: `${name}.ctl`, body: '{"command":"kill"}' })),
      line(message(3, { routingKey, body: '{"Identity":{"user":"alice"}}' })),
      line(message(4, { routingKey })),
    ].join('');
    writeFileSync(join(own, 'b.spool'), text, { mode: 0o600 });
    for (const path of [own, join(own, 'b.spool')]) chownSync(path, USER, USER);

    const flushed = await spool.run('flush', '-uri', uri, '-skey', `${name}.stats`, '-ekey', `${name}.events`);
    t.match(flushed, { status: 1, stderr: /0 damaged and 2 refused records are lost, 3 messages were delivered/ });
    const messages = await arrived.count(3);
    t.strictSame(
      messages.map(({ properties }) => properties.messageId),
      ['b-1', 'b-4', 'b-2'],
    );
    t.match(JSON.parse(String(messages[2]!.content)), { event: 'spool_dropped', refused: 2, messages: 2, sequence: 2 });
  },
);

t.test(
  "root's flush with the site configuration of the docs delivers what users' boxes have kept, each under its owner's key",
  { skip: !isRoot && 'needs root' },
  async (t) => {
    const spool = testSpool(t);
    const { channel } = await foreignClient(t, uri);
    const arrived = await collect(channel, 'amq.topic', 'proc_box.stats.*.spool-trust');
    for (const [uid, user] of [
      [65_534, 'nobody'],
      [1, 'daemon'],
    ] as const) {
      const own = makeOwn(spool, uid);
      const { identity } = fakeBox({ user, box: user });
      const kept = (n: number, of: string) =>
        line(
          message(n, {
            routingKey: `proc_box.stats.${of}.spool-trust`,
            options: { messageId: `${user}-${n}` },
            body: JSON.stringify({ Sequence: n, Identity: { user, box: user } }),
          }),
        );
      const text = [line({ spool: 1, identity, from: 1, first: 1 }), kept(1, user), kept(2, 'root'), kept(3, '{user}')];
      writeFileSync(join(own, 'b.spool'), text.join(''), { mode: 0o600 });
      for (const path of [own, join(own, 'b.spool')]) chownSync(path, uid, uid);
    }
    // Only /etc/proc_box/config.yaml may lock.
    const config = join(spool.dir, 'config.yaml');
    const site = readFileSync(join(import.meta.dirname, '../../scripts/site/rabbitmq/config.yaml'), 'utf8');
    writeFileSync(config, site.replace(/^locked:.*\n/m, ''));
    const flushed = await spool.run('flush', '--config', config, '-uri', uri);
    t.match(flushed.stderr, /2 refused records are lost/);
    const messages = await arrived.count(2);
    t.strictSame(messages.map(({ properties }) => properties.messageId).sort(), ['daemon-1', 'nobody-1']);
  },
);

t.test('a file that was half written or renamed by a killed box is no danger', async (t) => {
  const spool = testSpool(t);
  const own = makeOwn(spool, process.geteuid?.() ?? 0);
  writeFileSync(join(own, 'b.spool.tmp'), line(message(1)).slice(0, 30), { mode: 0o600 });
  t.match(await spool.run('flush', '-uri', uri), { status: 0, stdout: /delivered 0/ });
  renameSync(join(own, 'b.spool.tmp'), join(own, 'b.spool'));
  t.match(await spool.run('flush', '-uri', uri), { status: 1, stderr: /1 damaged and 0 refused/ });
});
