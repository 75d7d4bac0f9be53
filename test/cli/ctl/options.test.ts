import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type CtlRequest, parseCtl } from '../../../src/cli/ctl/options.js';
import { runKeygen } from '../../../src/cli/keygen.js';
import { ctlInput } from '../../fixtures/ctl.js';

const parse = (words: readonly string[], settings: readonly string[] = []) => parseCtl(ctlInput(words, settings));

/** The requests that the words make. */
function requests(words: readonly string[], settings: readonly string[] = []): readonly CtlRequest[] {
  const parsed = parse(words, settings);
  if (parsed.kind !== 'send') throw new Error('no request');
  return parsed.requests;
}

for (const [args, message] of [
  [[], /no command given/],
  [['--all'], /no command given/],
  [['--job', 'status'], /--job took "status" as its value; did you mean "proc_box ctl --job <id> status"\?/],
  [['status', '--job', '42'], /options come before the command; did you mean "proc_box ctl --job 42 status"\?/],
  [['--jbo', '1', 'ping'], /unknown option "--jbo"; did you mean --job\?/],
  [['--sint', '1s', '--all', 'ping'], /--sint is an option of a box, not of "proc_box ctl"/],
  [['--all', 'pign'], /unknown command "pign"; did you mean "ping"\?/],
  [['--all', 'kill', 'SIGNOPE'], /kill: "SIGNOPE" is not a signal/],
  [['--all', 'change_sample_rate', '5ms'], /change_sample_rate: "5ms" is too short/],
  [['--all', 'set_limit', 'nofile'], /set_limit was given 1 arguments: expected set_limit name value/],
  [['--all', '--wait', '3', 'ping'], /--wait: .*3/],
  [['--all', '--wait', '-3s', 'ping'], /--wait: /],
  [['--all', '--answers', '0', 'ping'], /--answers: /],
  [['--all', '--resend', '1ms', 'ping'], /--resend: "1ms" is too short/],
  [['--all=maybe', 'ping'], /--all: /],
  [['--all', '--job', '1', 'ping'], /--all and --job are both given/],
  [['--job', '', 'ping'], /--job is empty/],
  [['kill'], /would go to every box.* --all if you mean every box/],
  [['--all', '--id'], /--id needs a value/],
  [['--uri', 'amqp://guest:sesame@:x', '--all', 'ping'], /--uri: the URI /],
  [['amqp://guest:sesame@h/', '--all', 'ping'], /options come before the command/],
] as const) {
  t.test(`"ctl ${args.join(' ').replace('sesame', '...')}" is an error of usage`, async (t) => {
    try {
      parse(args);
      t.fail('it was taken');
    } catch (error) {
      t.match(error, { name: 'SpecError', message });
      t.notMatch((error as Error).message, 'sesame');
    }
  });
}

t.test('help wins over all other words', async (t) => {
  for (const word of ['--help', '-h', '-help']) t.strictSame(parse([word]), { kind: 'help' }, word);
  t.strictSame(parse(['--all', '--help', 'pign']), { kind: 'help' });
});

t.test('the routing key is the most exact one, and the rest is the target', async (t) => {
  for (const [args, suffix, target] of [
    [['--box', 'b', '--job', '7', '--step', '1'], '.box.b', { job: '7', step: '1' }],
    [['--job', '7', '--user', 'al.ice', '--host', 'n1.site'], '.user.al_ice.job.7', { host: 'n1.site' }],
    [['--user', 'alice', '--host', 'n1'], '.user.alice', { host: 'n1' }],
    [['--host', 'n1.site'], '.host.n1_site', undefined],
    [['--all', '--task', '0'], '', { task: '0' }],
    [['--job=7', '-user=alice'], '.user.alice.job.7', undefined],
  ] as const) {
    const [request, ...more] = requests(['--rkey', 'k', ...args, 'stop', '30s']);
    t.equal(request!.routingKey, `k${suffix}`);
    t.strictSame(request!.command, { command: 'stop', arguments: ['30s'], ...(target && { target }) });
    t.strictSame(more, []);
  }
});

t.test('how long answers are waited for, and how many', async (t) => {
  const [one] = requests(['--box', 'b', 'ping']);
  t.match(one, { waitMs: 3000, answers: 1, resendMs: undefined, json: false, messageId: undefined });
  t.strictSame(one!.command, { command: 'ping' });
  const [all] = requests(['--all', '--wait', '0', '--resend', '50ms', '--json', '--id', 'mine', 'ping']);
  t.match(all, { waitMs: 0, answers: undefined, resendMs: 50, json: true, messageId: 'mine' });
  t.match(requests(['--box', 'b', '--answers', '4', 'ping']), [{ answers: 4 }], 'an explicit number goes first');
});

t.test('the broker is that of the boxes: options, variables, config file', async (t) => {
  const folder = t.testdir({ 'config.yaml': 'exchange: ex\nrkey: "a,b"\nmultiRmtKey: true\nreply-exchange: back\n' });
  const config = ['--config', join(folder, 'config.yaml')];
  const settings = ['PBOX_URI=amqp://u:p@h/'];
  t.match(requests([...config, '--all', 'ping'], settings), [
    { uris: ['amqp://u:p@h:5672'], exchange: 'ex', replyExchange: 'back', routingKey: 'a' },
  ]);
  t.match(requests([...config, '--uri', 'none', '--exchange', 'mine', '--all', 'ping'], settings), [
    { uris: [], exchange: 'mine' },
  ]);
  const parsed = parse(['--all', 'ping'], ['PBOX_BOO=1']);
  t.match(parsed, { warnings: [/the variable "PBOX_BOO" has no effect/] });
});

t.test('a signed command names its whole address, although the routing key has a part of it', async (t) => {
  const folder = t.testdir({});
  runKeygen(['--dir', folder, 'ops-1']);
  const key = join(folder, 'ops-1.key');
  const words = ['--rkey', 'k', '--sign-key', key, '--job', '7', '--task', '0', 'ping'];
  t.match(requests(words), [
    { routingKey: 'k.job.7', signKey: { kid: 'ops-1' }, command: { command: 'ping', target: { job: '7', task: '0' } } },
  ]);
  t.match(requests(['--sign-key', key, '--all', 'ping']), [{ command: { target: {} } }]);
  chmodSync(key, 0o644);
  t.throws(() => requests(words), { name: 'SpecError', message: /--sign-key: \S+ops-1\.key has mode 0644/ });
  writeFileSync(key, 'boo', { mode: 0o600 });
  chmodSync(key, 0o600);
  t.throws(() => requests(words), { message: /--sign-key: \S+: it is not JSON: expected the file <key id>\.key/ });
});
