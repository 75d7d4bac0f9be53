import t from 'tap';
import { parseAgent } from '../../src/agent/options.js';
import { systemFiles } from '../../src/options/files.js';

function parse(words: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const input = {
    settings: ['PBOX_AGENT=/variable.sock'],
    files: systemFiles(),
    loadYaml: () => {
      throw new Error('no file is read');
    },
  };
  return parseAgent(['proc_box', 'agent', '--config', 'none', '--uri', 'none', ...words], input, environment);
}

t.test('the defaults are those of a site', async (t) => {
  t.match(parse([]), {
    verb: 'serve',
    socket: '/run/proc_box/agent.sock',
    own: false,
    takeover: false,
    allowRoot: false,
    quotas: { boxes: 4096, messagesPerSec: 1000, bytes: 16 << 20 },
  });
  t.equal(parse(['--help']), null);
});

t.test('an agent of a user listens below XDG_RUNTIME_DIR, or where he says', async (t) => {
  const environment = { XDG_RUNTIME_DIR: '/run/user/7' };
  t.match(parse(['--user'], environment), { own: true, socket: '/run/user/7/proc_box/agent.sock' });
  t.match(parse(['--user', '--socket', '/s']), { own: true, socket: '/s' });
  t.throws(() => parse(['--user']), { message: /XDG_RUNTIME_DIR is not set/ });
});

t.test('status asks the socket that is named, or those of --agent', async (t) => {
  const environment = { XDG_RUNTIME_DIR: '/run/user/7' };
  t.match(parse(['status']), { verb: 'status', asked: ['/variable.sock'] });
  t.match(parse(['status', '--agent', '/a']), { asked: ['/a'] });
  t.match(parse(['status', '--socket', '/s', '--json']), { asked: ['/s'], json: true });
  t.match(parse(['status', '--user'], environment), { asked: ['/run/user/7/proc_box/agent.sock'] });
  t.match(parse(['status', '--agent', 'auto'], environment), {
    asked: ['/run/proc_box/agent.sock', '/run/user/7/proc_box/agent.sock'],
  });
});

t.test('quotas, and what is wrong', async (t) => {
  t.match(parse(['--boxes-per-user', '2', '--messages-per-user=3', '--bytes-per-user', '1K']), {
    quotas: { boxes: 2, messagesPerSec: 3, bytes: 1024 },
  });
  for (const [words, message] of [
    [['--boxes-per-user', '0'], /--boxes-per-user/],
    [['--messages-per-user', 'many'], /--messages-per-user/],
    [['--bytes-per-user', '-1'], /--bytes-per-user/],
    [['stop'], /"agent stop" is not a command/],
    [['status', 'now'], /is not a command/],
    [['--memory', '1G'], /is an option of a box, not of "proc_box agent"/],
  ] as const) {
    t.throws(() => parse(words), { message }, words.join(' '));
  }
});
