import { createHmac } from 'node:crypto';
import { chmodSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { connectBroker } from '../../src/amqp/index.js';
import type { Delivery } from '../../src/amqp/message.js';
import { publicKeyProblems } from '../../src/amqp/public-keys.js';
import * as signed from '../../src/amqp/signed.js';
import { ask, fakeBox, foreignClient, notingLogger, sharedBroker, specFor, until } from '../fixtures/broker.js';
import { temporaryFolder } from '../fixtures/run.js';
import { base64url, newSigner } from '../fixtures/signing.js';
import { tcpProxy } from '../fixtures/tcp-proxy.js';

const { LIFETIME_MAX_SEC, SKEW_SEC, signedGate } = signed;

/** `--control-auth signed`, without a broker: what is admitted, and what is turned down with which code. */

const folder = join(temporaryFolder(t), 'keys');
const ops = newSigner(folder, 'ops-1');
const stranger = newSigner(join(temporaryFolder(t), 'others'), 'ops-1');
const { identity } = fakeBox({ user: 'alice', job: '1234' });
const START_MS = 1_700_000_000_000;
let ids = 0;

/** A gate with clocks that the test sets. */
function gate(more: { rememberedMax?: number } = {}) {
  const clock = { realMs: START_MS, monotonicMs: 0 };
  const { log, lines } = notingLogger();
  const nowMs = () => clock.realMs;
  const decide = signedGate({ folder, identity, log, nowMs, monotonicMs: () => clock.monotonicMs, ...more });
  const give = async (body: string, properties: Delivery['properties'] = {}) => {
    const { outcome, by } = await decide({ content: Buffer.from(body), properties });
    const verdict =
      outcome.kind === 'request'
        ? outcome.repeated
          ? 'repeated'
          : 'accepted'
        : outcome.kind === 'refusal'
          ? outcome.answer.error.code
          : 'ignored';
    return { verdict, outcome, by };
  };
  const pass = (ms: number) => {
    clock.realMs += ms;
    clock.monotonicMs += ms;
  };
  return { give, lines, clock, pass };
}

const nowSec = START_MS / 1000;
const claims = (more: object = {}) => ({
  command: 'kill',
  arguments: ['TERM'],
  target: { job: '1234' },
  iat: nowSec,
  exp: nowSec + 60,
  jti: `id-${++ids}`,
  ...more,
});

t.test('a good signature admits the command, and tells whose it is', async (t) => {
  const { give } = gate();
  const { verdict, outcome, by } = await give(ops.jws(claims()), { messageId: 'm1', userId: 'shared' });
  t.equal(verdict, 'accepted');
  t.match(outcome, { name: 'kill', args: ['TERM'] });
  t.strictSame(by, { via: 'amqp', messageId: 'm1', user: 'shared', key: 'ops-1', signer: 'Name of ops-1' });
  t.equal((await give(ops.jws(claims(), { alg: 'Ed25519' }))).verdict, 'accepted', 'the newer name of the algorithm');
  t.equal((await give(ops.jws(claims({ target: {} })))).verdict, 'accepted', 'for every box, in so many words');
  t.equal((await give(ops.jws(claims({ arguments: undefined })))).verdict, 'accepted');
});

t.test('what is no signature of a known key is refused, and the sender is told nothing more', async (t) => {
  const good = ops.jws(claims());
  const [header = '', payload = '', signature = ''] = good.split('.');
  const edited = base64url(JSON.stringify(claims({ command: 'stop' })));
  const forged = (head: object, mac: string) => `${base64url(JSON.stringify(head))}.${payload}.${mac}`;
  const hs256 = (secret: string | Buffer) => {
    const input = `${base64url('{"alg":"HS256","kid":"ops-1"}')}.${payload}`;
    return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
  };
  const bad: readonly (readonly [string, string])[] = [
    ['another key of the same id', stranger.jws(claims())],
    ['an unknown key', ops.jws(claims(), { kid: 'ops-2' })],
    ['no key id', ops.jws(claims(), { kid: undefined })],
    ['a key id that is a path', ops.jws(claims(), { kid: '../others/ops-1' })],
    ['a key id that is an object', ops.jws(claims(), { kid: { a: 1 } })],
    ['an edited body', `${header}.${edited}.${signature}`],
    ['an edited header', `${base64url('{"alg":"EdDSA","kid":"ops-1","x":1}')}.${payload}.${signature}`],
    ['an edited signature', `${header}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`],
    ['a signature that is cut', `${header}.${payload}.${signature.slice(0, 40)}`],
    ['none, with a signature', ops.jws(claims(), { alg: 'none' })],
    ['none, and something for a signature', forged({ alg: 'none', kid: 'ops-1' }, 'AA')],
    ['HS256 with the public key as secret', hs256(Buffer.from(ops.x, 'base64url'))],
    ['HS256 with the text of the public key as secret', hs256(ops.x)],
    ['ES256 in the header', ops.jws(claims(), { alg: 'ES256' })],
    ['no algorithm', ops.jws(claims(), { alg: undefined })],
    ['an extension that nobody knows', ops.jws(claims(), { crit: ['exp'], exp: 1 })],
    [
      'a key that the message brings along',
      stranger.jws(claims(), { jwk: { kty: 'OKP', crv: 'Ed25519', x: stranger.x } }),
    ],
    ['a header that is no JSON', `${base64url('{')}.${payload}.${signature}`],
  ];
  const { give } = gate();
  for (const [what, body] of bad) {
    const { verdict, outcome, by } = await give(body, { userId: 'mallory' });
    t.equal(verdict, 'bad_signature', what);
    t.match(
      outcome,
      { answer: { error: { message: 'the signature was not made with a key that this box knows' } } },
      what,
    );
    t.ok((outcome as { detail?: string }).detail, `${what}: our own log has the reason`);
    t.strictSame(by, { via: 'amqp', user: 'mallory' }, 'and nobody is said to have signed it');
  }
  t.equal((await give(good)).verdict, 'accepted');
});

t.test('what is not signed is refused, with its name for the trail', async (t) => {
  const { give } = gate();
  const plain = await give('{"command": "kill", "arguments": ["TERM"]}');
  t.equal(plain.verdict, 'not_signed');
  t.match(plain.outcome, { name: 'kill', args: ['TERM'] });
  t.equal((await give('{"command": "kill", "target": {"job": "77"}}')).verdict, 'ignored', 'and none of our business');
  for (const body of ['', 'x', 'a.b', 'a.b.c.d', 'a..c', '..', '{"payload": "a", "signature": "b"}']) {
    t.equal((await give(body)).verdict, 'not_signed', body);
  }
  const [head, , mac] = ops.jws(claims()).split('.');
  t.equal((await give(`${head}..${mac}`)).verdict, 'not_signed', 'a detached body');
  t.equal((await give(`${base64url('{"alg":"none"}')}.${base64url('{}')}.`)).verdict, 'not_signed', 'unsecured');
  t.equal((await give('x'.repeat(70_000))).verdict, 'too_large');
});

t.test('the claims must be whole, short-lived and of now', async (t) => {
  const cases: readonly (readonly [object | string, string])[] = [
    ['no json', 'bad_message'],
    ['[]', 'bad_message'],
    [claims({ iat: undefined }), 'bad_message'],
    [claims({ exp: undefined }), 'bad_message'],
    [claims({ exp: 'soon' }), 'bad_message'],
    [claims({ exp: nowSec }), 'bad_message'],
    [claims({ exp: nowSec + LIFETIME_MAX_SEC + 1 }), 'bad_message'],
    [claims({ exp: Number.MAX_SAFE_INTEGER }), 'bad_message'],
    [claims({ jti: undefined }), 'bad_message'],
    [claims({ jti: '' }), 'bad_message'],
    [claims({ jti: 'x'.repeat(129) }), 'bad_message'],
    [claims({ jti: 7 }), 'bad_message'],
    [claims({ target: undefined }), 'bad_message'],
    [claims({ target: null }), 'bad_message'],
    [claims({ target: 'all' }), 'bad_message'],
    [claims({ target: { jib: '1' } }), 'bad_message'],
    [claims({ command: undefined }), 'bad_message'],
    [claims({ aud: 'x' }), 'bad_message'],
    [claims({ Command: 'ping' }), 'bad_message'],
    [claims({ iat: nowSec + SKEW_SEC + 1, exp: nowSec + SKEW_SEC + 60 }), 'expired'],
    [claims({ iat: nowSec + SKEW_SEC, exp: nowSec + SKEW_SEC + 60 }), 'accepted'],
    [claims({ exp: nowSec + LIFETIME_MAX_SEC }), 'accepted'],
    [claims({ iat: nowSec - 1 }), 'expired'],
    [claims({ target: { job: '1235' } }), 'ignored'],
    [claims({ target: { job: '1234', user: 'bob' } }), 'ignored'],
    [claims({ target: { job: '1234', user: 'alice' } }), 'accepted'],
    [claims({ command: 'no_such' }), 'accepted'],
  ];
  const { give } = gate();
  for (const [body, expected] of cases) {
    t.equal((await give(ops.jws(body))).verdict, expected, JSON.stringify(body));
  }
});

t.test('a command is taken until its time is over, give or take the skew of clocks', async (t) => {
  const { give, pass } = gate();
  const [early, late] = [ops.jws(claims()), ops.jws(claims())];
  pass((60 + SKEW_SEC) * 1000);
  t.equal((await give(early)).verdict, 'accepted');
  pass(1000);
  t.equal((await give(late)).verdict, 'expired');
});

t.test('a command is taken once', async (t) => {
  const { give, clock, pass } = gate();
  const body = ops.jws(claims());
  const other = newSigner(folder, 'ops-other');
  const shared = claims();
  t.equal((await give(body, { messageId: 'm1', userId: 'ops' })).verdict, 'accepted');
  t.equal((await give(body, { messageId: 'm2', userId: 'ops' })).verdict, 'replayed', 'under another message id');
  t.equal((await give(body, { userId: 'ops' })).verdict, 'replayed', 'under none');
  t.equal((await give(body, { messageId: 'm1', userId: 'mallory' })).verdict, 'replayed', 'by another user');
  t.equal((await give(body, { messageId: 'm1' })).verdict, 'replayed', 'by nobody');
  t.equal(
    (await give(body, { messageId: 'm1', userId: 'ops' })).verdict,
    'repeated',
    'the very message: answered again',
  );
  t.equal((await give(ops.jws(shared))).verdict, 'accepted');
  t.equal((await give(other.jws(shared))).verdict, 'accepted', 'ids are those of a key');
  const both = ops.jws(claims());
  const verdicts = await Promise.all([give(both), give(both, { messageId: 'm3' }), give(both, { messageId: 'm4' })]);
  t.strictSame(
    verdicts.map(({ verdict }) => verdict),
    ['accepted', 'replayed', 'replayed'],
    'also at the same moment',
  );

  // A clock that is set back makes nothing young that has been seen.
  const late = ops.jws(claims({ exp: nowSec + LIFETIME_MAX_SEC }));
  t.equal((await give(late)).verdict, 'accepted');
  pass((LIFETIME_MAX_SEC + SKEW_SEC) * 1000);
  t.equal((await give(late)).verdict, 'replayed', 'for as long as it could be given');
  pass(1000);
  t.equal((await give(late)).verdict, 'expired');
  clock.realMs = START_MS;
  t.equal((await give(late)).verdict, 'replayed');
});

t.test('the next run of a job does not take what the last one was sent', async (t) => {
  const body = ops.jws(claims());
  t.equal((await gate().give(body)).verdict, 'accepted');
  const { give, clock } = gate();
  clock.realMs += 5_000;
  t.equal((await give(body)).verdict, 'accepted', 'two boxes of one job are both meant');
  const clockOf = { realMs: START_MS + 2_000 };
  const decide = signedGate({ folder, identity, log: notingLogger().log, nowMs: () => clockOf.realMs });
  const { outcome } = await decide({ content: Buffer.from(body), properties: {} });
  t.match(outcome, { answer: { error: { code: 'expired', message: /before this box started/ } } });
});

t.test('what is remembered is bounded, and makes room again', async (t) => {
  const { give, pass } = gate({ rememberedMax: 20 });
  const now = (offset: number) => ({ iat: nowSec + offset, exp: nowSec + offset + 60 });
  for (let i = 0; i < 20; i++) await give(ops.jws(claims()));
  t.match((await give(ops.jws(claims()))).outcome, {
    answer: { error: { code: 'not_possible', message: /more than 20 signed/ } },
  });
  pass(360_000);
  t.equal((await give(ops.jws(claims(now(360))))).verdict, 'not_possible');
  pass(1);
  t.equal((await give(ops.jws(claims(now(360))))).verdict, 'accepted');
});

t.test('a key may do what its file says', async (t) => {
  const sampler = newSigner(folder, 'sampler', { commands: ['sample', 'timer_*'] });
  const bob = newSigner(folder, 'bob', { owners: ['bob'] });
  const team = newSigner(folder, 'team', { owners: ['al*'], commands: ['suspend'] });
  const { give } = gate();
  const ask = async (signer: typeof bob, command: string) => (await give(signer.jws(claims({ command })))).verdict;
  t.equal(await ask(sampler, 'sample'), 'accepted');
  t.equal(await ask(sampler, 'timer_stop'), 'accepted');
  t.equal(await ask(sampler, 'kill'), 'forbidden');
  t.equal(await ask(bob, 'ping'), 'forbidden');
  t.equal(await ask(team, 'suspend'), 'accepted');
  t.equal(await ask(team, 'resume'), 'forbidden');
  const { outcome, by } = await give(bob.jws(claims()));
  t.match(outcome, { name: 'kill', args: ['TERM'], answer: { error: { message: /^key "bob" may not/ } } });
  t.match(by, { key: 'bob', signer: 'Name of bob' }, 'the trail tells whose key it was');
});

t.test('keys come, change and go while the box runs', async (t) => {
  const { give } = gate();
  const next = newSigner(join(folder, '..', 'new'), 'ops-3');
  t.equal((await give(next.jws(claims()))).verdict, 'bad_signature');
  renameSync(join(folder, '..', 'new', 'ops-3.json'), join(folder, 'ops-3.json'));
  t.equal((await give(next.jws(claims()))).verdict, 'accepted');
  rmSync(join(folder, 'ops-3.json'));
  t.equal((await give(next.jws(claims()))).verdict, 'bad_signature', 'revoked');
});

t.test('who may write a key may command: files that others may write are not believed', async (t) => {
  const { give } = gate();
  const loose = newSigner(folder, 'loose');
  const path = join(folder, 'loose.json');
  chmodSync(path, 0o666);
  const { verdict, outcome } = await give(loose.jws(claims()));
  t.equal(verdict, 'bad_signature');
  t.match(outcome, { detail: /loose\.json: group or others may write it \(mode 0666\); run: chmod go-w/ });
  t.match(await publicKeyProblems(folder), [/loose\.json: group or others may write it/]);
  chmodSync(path, 0o644);
  t.equal((await give(loose.jws(claims()))).verdict, 'accepted');
  chmodSync(folder, 0o777);
  t.equal((await give(loose.jws(claims()))).verdict, 'bad_signature');
  chmodSync(folder, 0o755);
});

t.test('a folder without a usable key is told of at the start', async (t) => {
  const empty = temporaryFolder(t);
  t.match(await publicKeyProblems(empty), [/holds no key/]);
  t.match(await publicKeyProblems(join(empty, 'none')), [/ENOENT.*every command is refused/]);
  writeFileSync(join(empty, 'a b.json'), '{}', { mode: 0o644 });
  writeFileSync(join(empty, 'c.json'), '{}', { mode: 0o644 });
  t.match(await publicKeyProblems(empty), [/its name is not a key id/, /key "c": it is not a public Ed25519 key/]);
  const { log, lines } = notingLogger();
  signedGate({ folder: join(empty, 'none'), identity, log });
  while (lines.length === 0) await new Promise((resolve) => setImmediate(resolve));
  t.match(lines, [/warn: control-keys: ENOENT/]);
});

t.test('a command that was taken is not taken again after a reconnection', async (t) => {
  const uri = await sharedBroker(t);
  const proxy = await tcpProxy(t, Number(new URL(uri).port));
  const own = fakeBox({ user: 'alice', job: '1234' });
  const spec = specFor(proxy.uriOf(uri), { controlAuth: 'signed', controlKeys: folder });
  const link = connectBroker(spec, own, notingLogger().log, () => signed);
  t.teardown(() => link.close(0));
  const up = () => link.state().control.state === 'up' && link.state().statistics.state === 'up';
  await until(up, 'the box is up');
  const { channel } = await foreignClient(t, uri);
  const to = { exchange: 'amq.topic', key: spec.routingKeys[0]! };
  const iat = Math.floor(Date.now() / 1000);
  const body = Buffer.from(ops.jws(claims({ iat, exp: iat + 60 })));
  t.match((await ask(channel, to, body, { messageId: 'm1', userId: 'guest' })).body, { ok: true, command: 'kill' });
  const { connections } = link.state().control;
  proxy.reset();
  await until(() => link.state().control.connections > connections && up(), 'the box is up again');
  const replayed = await ask(channel, to, body, { messageId: 'm2', userId: 'guest' });
  t.match(replayed.body, { ok: false, command: 'kill', error: { code: 'replayed' } });
  const repeated = await ask(channel, to, body, { messageId: 'm1', userId: 'guest' });
  t.match(repeated.body, { ok: true, command: 'kill' }, 'the same message is answered again');
  t.equal(own.executed.length, 1);
  t.match(own.executed[0]!.by, { key: 'ops-1', signer: 'Name of ops-1', user: 'guest' });
});
