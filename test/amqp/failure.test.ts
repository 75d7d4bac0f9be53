import t from 'tap';
import { endpointOf } from '../../src/amqp/config.js';
import { alarmText, describe, redact, WRONG_TYPE } from '../../src/amqp/failure.js';

t.test('words a failure, and never with the password', async (t) => {
  const endpoint = endpointOf('amqp://u:s3%3Ar%40t@h:5672');
  for (const [error, kind, text] of [
    [
      Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }),
      'refused',
      /is the broker running there/,
    ],
    [Object.assign(new AggregateError([], ''), { code: 'ECONNREFUSED' }), 'refused', /refused/],
    [Object.assign(new Error('getaddrinfo ENOTFOUND h'), { code: 'ENOTFOUND' }), 'name', /does not resolve/],
    [new Error('no answer within 2000 ms'), 'silent', /firewall/],
    [
      new Error(
        `403 (ACCESS-REFUSED) with message "ACCESS_REFUSED - write access to exchange 'x' in vhost '/' refused for user 'u'"`,
      ),
      'permission',
      /write access to exchange 'x'.*ask/,
    ],
    [new Error(`404 (NOT-FOUND) with message "NOT_FOUND - no exchange 'x' in vhost '/'"`), 'exchange', /declaring/],
    [
      new Error(`406 (PRECONDITION-FAILED) with message "PRECONDITION_FAILED - inequivalent arg"`),
      'precondition',
      /inequivalent arg: check/,
    ],
    [new Error('unable to verify the first certificate'), 'tls', /--tls-ca/],
    [new Error('boom amqp://u:s3:r@t@h s3%3Ar%40t'), 'boom', /boom/],
  ] as const) {
    const failure = describe(error, endpoint);
    t.ok(failure.kind.startsWith(kind), failure.kind);
    t.match(failure.text, text);
    t.notMatch(failure.text, /s3|r@t/);
  }
  t.equal(redact('a s3:r@t b', endpoint), 'a *** b');
});

const endpoint = endpointOf('amqp://u:pw123@h:5672/v');
const of = (text: string) => describe(new Error(text), endpoint);

t.test('each failure has its kind, and says who has to act', async (t) => {
  const never = { permanent: true, slow: false };
  const later = { permanent: false, slow: true };
  const soon = { permanent: false, slow: false };
  const cases: readonly (readonly [string, string, object, RegExp])[] = [
    ['connect EHOSTUNREACH', 'silent', soon, /no answer: check host, port and firewall$/],
    [
      '530 with message "NOT_ALLOWED - connection limit (5) for user \'u\' is reached"',
      'limit',
      later,
      /connection limit \(5\) for user 'u' is reached: end other connections/,
    ],
    ['530 "NOT_ALLOWED - vhost v not found"', 'vhost', never, /vhost v not found: check the vhost of --uri/],
    [
      'ACCESS_REFUSED - Login was refused using authentication mechanism EXTERNAL',
      'login',
      never,
      /login by client certificate was refused/,
    ],
    [
      'SASL mechanism EXTERNAL is not provided',
      'mechanism',
      never,
      /does not offer login by EXTERNAL: EXTERNAL needs amqps/,
    ],
    ['403 "ACCESS_REFUSED - Login was refused"', 'login', never, /login of user "u" was refused/],
    [
      "404 \"NOT_FOUND - no exchange 'amq.x' in vhost '/'\"",
      'reserved exchange',
      never,
      /exchange "amq\.x" does not exist, and only the broker can declare/,
    ],
    [
      "PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'x' in vhost '/': received 'topic' but current is 'direct'",
      WRONG_TYPE,
      never,
      /exchange "x" is a direct exchange, but proc_box needs a topic exchange/,
    ],
    ['PRECONDITION_FAILED - timeout', 'precondition', later, /timeout: check --exchange and --rascal-config/],
    ['Socket closed abruptly during opening handshake', 'handshake', soon, /if the port expects TLS, give amqps/],
    ['read ECONNRESET', 'lost', soon, /the connection was lost$/],
    ['the exchange was deleted', 'deleted', soon, /binding the queue again$/],
    ['Channel closed by server', 'channel', soon, /the broker closed the channel$/],
    ['subscription was cancelled by the broker', 'cancelled', soon, /the broker removed the queue$/],
    ['Heartbeat timeout', 'heartbeat', soon, /the broker sent no heartbeat in time$/],
  ];
  for (const [raw, kind, more, text] of cases) t.match(of(raw), { kind, ...more, text }, raw);
});

t.test('what link.ts acts on by itself is told apart', async (t) => {
  t.match(of("NOT_FOUND - no exchange 'x' in vhost '/'"), { missingExchange: true, sender: undefined });
  t.match(of("PRECONDITION_FAILED - user_id property set to 'u' but authenticated user was 'CN=u'"), {
    sender: 'CN=u',
    missingExchange: false,
    kind: 'sender',
  });
});

t.test('an unknown failure is told as it came, without a password and not without end', async (t) => {
  t.match(of('boom'), { kind: 'boom', text: 'broker h:5672/v: boom', permanent: false });
  t.match(describe('text', endpoint), { text: 'broker h:5672/v: text' });
  t.equal(of('x'.repeat(1000)).text.length, 300);
  t.match(of('Failed to connect to: amqp://h Original message was: connect ECONNREFUSED'), { kind: 'refused' });
  const odd = endpointOf('amqp://u:a%20%2Fb@h');
  t.equal(redact('a /b a%20%2Fb a%20/b', odd), '*** *** ***');
  t.equal(redact('guest', endpointOf('amqp://guest:guest@h')), 'guest', 'everybody knows that one');
});

t.test('an alarm is told in the words of the broker, with a bound', async (t) => {
  t.equal(
    alarmText('low on memory'),
    'it takes no messages now: memory or disk alarm (low on memory); ask its administrator',
  );
  t.ok(alarmText('x'.repeat(1000)).length < 200);
});
