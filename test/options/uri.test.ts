import fc from 'fast-check';
import t from 'tap';
import { SpecError } from '../../src/errors.js';
import { parseUris, redactUri } from '../../src/options/uri.js';

t.test('URIs become one whole URI a host', async (t) => {
  const cases: [string, string[]][] = [
    ['none', []],
    [' NONE ', []],
    ['amqp://h', ['amqp://h:5672']],
    ['amqps://h', ['amqps://h:5671']],
    ['AMQP://h/', ['amqp://h:5672']],
    ['amqp://u:p@h:1/v', ['amqp://u:p@h:1/v']],
    ['amqp://u@h', ['amqp://u@h:5672']],
    ['amqp://u:@h', ['amqp://u:@h:5672']],
    ['amqp://u:p@h1:5672,h2:5673/v', ['amqp://u:p@h1:5672/v', 'amqp://u:p@h2:5673/v']],
    ['amqp://u:p@h1/v, amqps://x:y@h2/w', ['amqp://u:p@h1:5672/v', 'amqps://x:y@h2:5671/w']],
    ['amqp://[::1]:9/%2F', ['amqp://[::1]:9/%2F']],
    ['amqp://u:p:q@h', ['amqp://u:p%3Aq@h:5672']],
    ['amqp://u:p@q@h', ['amqp://u:p%40q@h:5672']],
    ['amqp://u:p,q@h1,h2', ['amqp://u:p%2Cq@h1:5672', 'amqp://u:p%2Cq@h2:5672']],
    ['amqp://u:%41%2f@h', ['amqp://u:A%2F@h:5672']],
    ['amqp://h1,h2/v?heartbeat=5', ['amqp://h1:5672/v?heartbeat=5', 'amqp://h2:5672/v?heartbeat=5']],
    ['amqp://h?heartbeat=5&frameMax=0', ['amqp://h:5672?heartbeat=5&frameMax=0']],
  ];
  for (const [text, uris] of cases) {
    t.strictSame(parseUris(text), uris, text);
    for (const uri of uris) t.ok(new URL(uri), uri);
  }
});

t.test('every fault has its own message, which repeats nothing of the URI', async (t) => {
  const example = 'for example "amqp://user:password@host:5672/vhost"';
  const cases: [string, string][] = [
    ['', 'the URI does not begin with amqp:// or amqps://'],
    ['http://h', 'the URI does not begin with amqp:// or amqps://'],
    ['h1,amqp://h2', 'URI 1 of 2 does not begin with amqp:// or amqps://'],
    ['amqp://', 'the URI has a host that is not <name>:<port> (write IPv6 addresses in brackets)'],
    ['amqp://u:p@', 'the URI has a host that is not <name>:<port> (write IPv6 addresses in brackets)'],
    ['amqp://u:s3cret', 'the URI has a host that is not <name>:<port> (write IPv6 addresses in brackets)'],
    ['amqp://::1', 'the URI has a host that is not <name>:<port> (write IPv6 addresses in brackets)'],
    ['amqp://h1,,h2', 'the URI has a host that is not <name>:<port> (write IPv6 addresses in brackets)'],
    ['amqp://h:0', 'the URI has a port that is not from 1 to 65535'],
    ['amqp://h:65536', 'the URI has a port that is not from 1 to 65535'],
    ['amqp://u:p q@h', 'the URI contains a space or a control character (write a space as %20)'],
    ['amqp://u:p#q@h', 'the URI contains # (write it as %23)'],
    ['amqp://u:p/q@h', 'the URI has @ after / or ? (in user and password write / as %2F, ? as %3F, @ as %40)'],
    ['amqp://u:5?q=@h', 'the URI has @ after / or ? (in user and password write / as %2F, ? as %3F, @ as %40)'],
    ['amqp://u:p@h1,v:q@h2', 'the URI has both @ and , in user or password (write @ as %40, a comma as %2C)'],
    ['amqp://:p@h', 'the URI has @ but no user before it'],
    ['amqp://u:100%@h', 'the URI has a % that does not begin an escape of UTF-8 (write % as %25)'],
    ['amqp://h/v,h2', 'the URI has a comma after the vhost (put all hosts before it, or write complete URIs)'],
    ['amqp://h/a/b', 'the URI has more than one / after the host (write / in a vhost as %2F)'],
    [
      'amqp://h/v?hartbeat=1',
      'the URI has a parameter after ? that is not one of heartbeat, frameMax, channelMax, connection_timeout, locale, auth_mechanism (plain or external)',
    ],
    [
      'amqp://h/v?heartbeat',
      'the URI has a parameter after ? that is not one of heartbeat, frameMax, channelMax, connection_timeout, locale, auth_mechanism (plain or external)',
    ],
  ];
  for (const [text, message] of cases) t.throws(() => parseUris(text), new SpecError(`${message}: ${example}`), text);
});

/** Passwords that hold a marker which no message holds, between characters that URIs give a meaning to. */
const MARK = 'S3cr3t';
const odd = fc.array(
  fc.constantFrom(
    ':',
    '@',
    '/',
    '%',
    '%2',
    '%zz',
    '#',
    '?',
    ',',
    '[',
    ']',
    '\\',
    '&',
    '=',
    '://',
    'ü',
    ',amqp://',
    'amqp:',
    '5672',
  ),
  { maxLength: 5 },
);
const password = fc.tuple(odd, odd).map(([before, after]) => `${before.join('')}${MARK}${after.join('')}`);
const ending = fc.constantFrom(
  '',
  '@',
  '@h',
  '@h:x',
  '@h:5672/v',
  '@h/v/w',
  '@h1,h2/v',
  '@h,amqp://u:p@h',
  '/v',
  ':5672',
);

t.test('no message of a parser ever contains the password', async (t) => {
  let refused = 0;
  fc.assert(
    fc.property(password, ending, (password, ending) => {
      try {
        parseUris(`amqp://user:${password}${ending}`);
        return true;
      } catch (error) {
        refused++;
        return error instanceof SpecError && !`${error.message} ${error.cause ?? ''}`.includes(MARK);
      }
    }),
    { numRuns: 2000 },
  );
  t.ok(refused > 100, 'the property was put to the test');
});

t.test('what is accepted reads back as the same password', async (t) => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', minLength: 1 }),
      fc.string({ unit: 'grapheme', minLength: 1 }),
      (user, password) => {
        const [uri = ''] = parseUris(`amqp://${encodeURIComponent(user)}:${encodeURIComponent(password)}@h`);
        const url = new URL(uri);
        return decodeURIComponent(url.username) === user && decodeURIComponent(url.password) === password;
      },
    ),
  );
  t.pass();
});

t.test('redaction hides the password and keeps what helps', async (t) => {
  const cases: [string, string][] = [
    ['connect amqp://u:p@h:5672/v: ECONNREFUSED', 'connect amqp://u:***@h:5672/v: ECONNREFUSED'],
    ['amqp://u@h', 'amqp://u@h'],
    ['amqp://h:5672/v', 'amqp://h:5672/v'],
    ['amqp://h:5672: ECONNREFUSED', 'amqp://h:5672: ECONNREFUSED'],
    ['amqp://h: refused', 'amqp://h: refused'],
    ['amqp://[::1]:5672/v', 'amqp://[::1]:5672/v'],
    ['amqp://u:s3cret', 'amqp://u:***'],
    ['amqp://u:p@h1,amqp://u:p@h2', 'amqp://***@h2'],
    ['no URI at all', 'no URI at all'],
  ];
  for (const [text, redacted] of cases) t.equal(redactUri(text), redacted, text);
  fc.assert(
    fc.property(password, (password) => !redactUri(`x amqp://user:${password}@h/v y`).includes(MARK)),
    { numRuns: 2000 },
  );
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      (noise) => !redactUri(`amqp://user:${noise}${MARK}${noise}@h`).includes(MARK),
    ),
  );
});
