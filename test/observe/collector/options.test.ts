import t from 'tap';
import { isLoopback, parseCollector, parseListen, parseTokens } from '../../../src/observe/collector/options.js';

const files = (texts: Record<string, string> = {}) => ({
  uid: 0,
  read: (path: string) => (path in texts ? { text: texts[path]!, mode: 0o100600, uid: 0 } : 'ENOENT'),
});
const parse = (...words: string[]) =>
  parseCollector(
    ['proc_box', 'collector', '--config', 'none', ...words],
    {
      settings: [],
      files: files({ '/t': 'alice aaaaaaaaaaaaaaaaaaaa\n', '/pg': 'postgres://u:p@h/d\n' }),
      loadYaml: () => {
        throw new Error('no YAML');
      },
    },
    { HOME: '/home/u' },
  )!;

t.test('without options it is safe: loopback, a token, SQLite at home', async (t) => {
  t.match(parse(), {
    store: '/home/u/.local/state/proc_box/collector',
    listen: { kind: 'tcp', host: '127.0.0.1', port: 8480 },
    metricsListen: null,
    auth: { mode: 'token', tokens: null },
    queue: 'proc_box.collector',
    keepLiveMs: 300_000,
    keepFullMs: 14 * 86_400_000,
    resolutionMs: 500,
    alerts: { memoryPercent: 95, cpuPercent: 5 },
  });
  t.equal(
    parseCollector(
      ['proc_box', 'collector', '--help'],
      {
        settings: [],
        files: files(),
        loadYaml: () => {
          throw new Error();
        },
      },
      {},
    ),
    null,
  );
});

t.test('addresses, sockets, and none', async (t) => {
  t.strictSame(parseListen('[::1]:80'), { kind: 'tcp', host: '::1', port: 80 });
  t.strictSame(parseListen(':9000'), { kind: 'tcp', host: '0.0.0.0', port: 9000 });
  t.strictSame(parseListen('unix:/run/c.sock'), { kind: 'unix', path: '/run/c.sock' });
  t.equal(parseListen('none'), null);
  for (const text of ['8480', 'host', 'h:99999', '[x]:1', 'a:b:1'])
    t.throws(() => parseListen(text), { name: 'SpecError' }, text);
  t.equal(parse('--listen', '/run/c.sock').auth.mode, 'socket', 'a socket tells who asks');
  t.ok(isLoopback('127.9.9.9') && isLoopback('::1') && !isLoopback('128.0.0.1'));
});

t.test('what would be unsafe or senseless is refused, with what to do', async (t) => {
  const cases: readonly (readonly [string[], RegExp])[] = [
    [['--auth', 'none', '--listen', '0.0.0.0:1'], /loopback/],
    [['--auth', 'socket'], /Unix socket/],
    [['--auth', 'password'], /not one of token, proxy, none, socket/],
    [['--uri', 'none'], /broker/],
    [['--store', '/x', '--store-uri-file', '/pg'], /both given/],
    [['--store-uri-file', '/t'], /does not begin with postgres/],
    [['--keep-full', '9d', '--keep-thin', '1d'], /shorter/],
    [['--webhook', 'file:///etc/passwd'], /http/],
    [['--prefetch', '0'], /prefetch/],
    [['extra'], /not an option/],
    [['--tpo', '3'], /--top/],
  ];
  for (const [words, message] of cases)
    t.throws(() => parse(...words), { name: 'SpecError', message }, words.join(' '));
  t.equal(parse('--store-uri-file', '/pg').store, 'postgres://u:p@h/d');
  t.equal(parse('--token-file', '/t').auth.tokens?.get('a'.repeat(20)), 'alice');
});

t.test('a file of tokens is read line by line, and no error repeats a token', async (t) => {
  t.throws(() => parseTokens('alice short\n', '/f'), /\/f:1: the token is too short/);
  t.throws(() => parseTokens('# nothing\n', '/f'), /no token/);
  t.throws(() => parseTokens('alice secret-secret-secret more\n', '/f'), {
    message: '--token-file: /f:1 is not "<user> <token>"',
  });
});
