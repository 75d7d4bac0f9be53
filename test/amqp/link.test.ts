import t, { type Test } from 'tap';
import type { ConnectionRequest } from '../../src/amqp/config.js';
import { Link, type LinkOptions, type Opened, type Session } from '../../src/amqp/link.js';
import { linesLogger } from '../fixtures/light.js';
import { virtualTime } from '../fixtures/virtual-time.js';

/** The loop around one connection, with sessions that the test opens and ends; box-link.test.ts uses a real broker. */

interface Attempt extends Opened<Session> {
  readonly request: ConnectionRequest;
  readonly host: string;
}

const REFUSED = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
const NO_LOGIN = new Error('Handshake terminated by server: 403 with message "ACCESS_REFUSED - Login was refused"');
const NO_EXCHANGE = new Error("404 (NOT-FOUND) with message \"NOT_FOUND - no exchange 'x' in vhost '/'\"");

function linked(
  t: Test,
  uris: readonly string[] = ['amqp://user:sesame@one'],
  more: Partial<LinkOptions<Session>> = {},
) {
  const time = virtualTime(t);
  const { log, lines } = linesLogger();
  const attempts: Attempt[] = [];
  const calls: string[] = [];
  let ready = true;
  const link = new Link<Session>({
    name: 'statistics',
    uris,
    log,
    request: { exchange: 'x', connectionName: 'c', site: {} },
    open: (request, opened) => attempts.push({ ...opened, request, host: request.endpoint.host }),
    up: (_session, _fail, done) => {
      calls.push('up');
      if (ready) done();
    },
    down: () => calls.push('down'),
    ...more,
  });
  link.start();
  const session = (close: Session['close'] = (done) => done()): Session => ({
    close(done) {
      calls.push('close');
      close(done);
    },
    release: () => calls.push('release'),
  });
  /** Lets the link take its next steps, which are microtasks. */
  const turn = async () => {
    for (let n = 0; n < 10; n++) await Promise.resolve();
  };
  const last = () => attempts.at(-1)!;
  const connect = async (close?: Session['close']) => {
    const made = session(close);
    last().made(made);
    last().up(made);
    await turn();
  };
  const fail = async (error: unknown) => {
    last().fail(error);
    await turn();
  };
  /** Lets time pass until the next attempt. @returns ms */
  const nextAttempt = async (stepMs = 10) => {
    const before = attempts.length;
    let waitedMs = 0;
    for (; attempts.length === before; waitedMs += stepMs) {
      await time.advance(stepMs);
      await turn();
    }
    return waitedMs;
  };
  const notReady = () => {
    ready = false;
  };
  return { link, time, lines, attempts, calls, turn, last, connect, fail, session, nextAttempt, notReady };
}

/** Without the jitter, which makes them shorter. */
function longestWaits(t: Test): void {
  const { random } = Math;
  t.teardown(() => void Object.assign(Math, { random }));
  Math.random = () => 0.999999;
}

t.test('connects, and connects again after the connection has ended', async (t) => {
  const { link, attempts, calls, connect, fail, nextAttempt, lines } = linked(t);
  t.match(link.state, { state: 'connecting', connections: 0, broker: /^one/ });
  await connect();
  t.match(link.state, { state: 'up', connections: 1, lastError: null });
  await fail(new Error('Unexpected close'));
  t.match(link.state, { state: 'down', lastError: /the connection was lost/ });
  t.strictSame(calls, ['up', 'down', 'release'], 'a dead connection is not asked to end in an orderly way');
  t.ok(attempts[0]!.request.signal.aborted);
  await nextAttempt();
  t.equal(attempts.length, 2);
  await connect();
  t.match(link.state, { state: 'up', connections: 2 });
  t.match(lines.at(-1), /connected to broker one/);
  await link.close(0);
});

t.test('each kind of failure is warned of once, until a good connection', async (t) => {
  const { link, lines, connect, fail, nextAttempt } = linked(t);
  const warnings = () => lines.filter((line) => line.includes('warn:')).length;
  for (let n = 0; n < 3; n++) {
    await fail(REFUSED);
    await nextAttempt();
  }
  t.equal(warnings(), 1);
  t.match(lines[0], /connection refused.*; retrying in the background$/);
  await fail(new Error('getaddrinfo ENOTFOUND one'));
  t.equal(warnings(), 2, 'another kind');
  await nextAttempt();
  await connect();
  t.match(lines.at(-1), /^proc_box: statistics: connected to broker one/, 'the recovery is logged');
  await fail(REFUSED);
  t.equal(warnings(), 2, 'a connection of a moment is not a good one');
  await link.close(0);
});

t.test('the wait between two attempts doubles, up to 1.5 s', async (t) => {
  longestWaits(t);
  const { link, fail, nextAttempt } = linked(t);
  t.teardown(() => link.close(0));
  const waits: number[] = [];
  for (let n = 1; n <= 6; n++) {
    await fail(REFUSED);
    waits.push(await nextAttempt());
  }
  t.strictSame(waits, [200, 400, 800, 1500, 1500, 1500]);
});

t.test('if somebody has to act first, it asks seldom, and reports that waiting is useless', async (t) => {
  longestWaits(t);
  const { link, attempts, fail, nextAttempt, turn } = linked(t);
  t.teardown(() => link.close(0));
  let waitedMs = 0;
  for (let n = 0; n < 9; n++) {
    await fail(NO_LOGIN);
    t.equal(link.hopeless, true);
    waitedMs = await nextAttempt(100);
  }
  t.equal(waitedMs, 30_000);
  await fail(NO_LOGIN);
  const before = attempts.length;
  link.hurry();
  await turn();
  t.equal(attempts.length, before + 1, 'at the end of the job it does not wait');
  await fail(REFUSED);
  t.equal(link.hopeless, false);
});

t.test('the other hosts of a list are tried without a wait', async (t) => {
  const { link, attempts, fail, connect } = linked(t, [
    'amqp://user:sesame@one',
    'amqp://user:sesame@two',
    'amqp://user:sesame@three',
  ]);
  t.teardown(() => link.close(0));
  await fail(NO_LOGIN);
  await fail(NO_LOGIN);
  t.strictSame(
    attempts.map(({ host }) => host),
    ['one', 'two', 'three'],
  );
  t.equal(link.hopeless, false);
  await connect();
  t.match(link.state, { broker: /^three/, state: 'up' });
});

t.test('a missing exchange is declared at once; if that does not help, it is a failure', async (t) => {
  const { link, attempts, fail, last, lines } = linked(t);
  t.teardown(() => link.close(0));
  await fail(NO_EXCHANGE);
  t.equal(attempts.length, 2, 'without a wait');
  t.equal(last().request.declare, true);
  t.notMatch(lines.join('\n'), 'warn:');
  t.equal(link.hopeless, false);
  await fail(NO_EXCHANGE);
  t.equal(link.hopeless, true);
  t.match(lines.join('\n'), /warn: .*the exchange does not exist/);
});

t.test('an attempt without an answer is given up, and a session that it opens later is released', async (t) => {
  const { link, attempts, calls, time, turn, session } = linked(t);
  t.teardown(() => link.close(0));
  await time.advance(2000);
  await turn();
  t.match(link.state.lastError, /no answer/);
  const [first] = attempts;
  t.ok(first!.request.signal.aborted);
  const late = session();
  first!.made(late);
  first!.up(late);
  t.strictSame(calls, ['release'], 'and not used');
});

t.test('a connection that is up and not ready within its time is ended', async (t) => {
  const { link, calls, connect, time, turn, notReady } = linked(t);
  t.teardown(() => link.close(0));
  notReady();
  await connect();
  t.equal(link.state.state, 'connecting');
  await time.advance(2000);
  await turn();
  t.strictSame(calls, ['up', 'down', 'release']);
});

t.test('an exception while opening is a failure like others', async (t) => {
  const { link, turn } = linked(t, undefined, {
    open: () => {
      throw new Error('no such option');
    },
  });
  t.teardown(() => link.close(0));
  await turn();
  t.match(link.state, { state: 'down', lastError: /no such option/ });
});

t.test('the end is orderly within its time, immediate without a connection, and final', async (t) => {
  const orderly = linked(t);
  await orderly.connect();
  await orderly.link.close(1000);
  await orderly.turn();
  t.strictSame(orderly.calls, ['up', 'close', 'release', 'down']);
  await orderly.time.advance(60_000);
  t.equal(orderly.attempts.length, 1);
  await orderly.link.close(1000);
  t.equal(orderly.calls.length, 4, 'once');

  const silent = linked(t);
  await silent.connect(() => {});
  const closed = silent.link.close(300);
  await silent.time.advance(300);
  await closed;
  t.match(silent.calls, ['up', /./, /./, /./], 'a session that does not answer is left');
  t.ok(silent.attempts[0]!.request.signal.aborted);

  const dead = linked(t);
  await dead.connect(() => {
    throw new Error('IllegalOperationError');
  });
  await dead.link.close(300);
  t.ok(dead.calls.includes('release'));

  const never = linked(t);
  await never.link.close(60_000);
  t.ok(never.attempts[0]!.request.signal.aborted);
});

t.test('without a broker there is nothing to do', async (t) => {
  const { link, attempts } = linked(t, []);
  t.strictSame(attempts, []);
  t.match(link.state, { broker: 'none' });
  await link.close(0);
});
