import t from 'tap';
import { toCommand } from '../../src/amqp/command.js';

const command = (name: string, ...args: string[]) => toCommand({ kind: 'request', name, args });

t.test('reads every command of the contract', async (t) => {
  for (const [words, expected] of [
    [['stop'], { name: 'stop' }],
    [['stop', '1m30s'], { name: 'stop', graceMs: 90_000 }],
    [['suspend'], { name: 'suspend' }],
    [['resume'], { name: 'resume' }],
    [['kill'], { name: 'kill', signal: 9 }],
    [['kill', '15'], { name: 'kill', signal: 15 }],
    [['kill', 'TERM'], { name: 'kill', signal: 15 }],
    [['kill', 'SIGTERM'], { name: 'kill', signal: 15 }],
    [['kill', '-9'], { name: 'kill', signal: 9 }],
    [['sample'], { name: 'sample' }],
    [['change_sample_rate', '10ms'], { name: 'change_sample_rate', intervalMs: 10 }],
    [['timer_reset'], { name: 'timer_reset' }],
    [['timer_start'], { name: 'timer_start' }],
    [['timer_stop'], { name: 'timer_stop' }],
    [['timer_resume'], { name: 'timer_resume' }],
    [['set_limit', 'nofile', '64:128'], { name: 'set_limit', limit: 'nofile', value: '64:128' }],
    [['status'], { name: 'status' }],
    [['ping'], { name: 'ping' }],
  ] as const) {
    t.strictSame(command(...(words as readonly string[] as [string])), expected, words.join(' '));
  }
});

t.test('turns down wrong arguments', async (t) => {
  for (const words of [
    ['kill', '0'],
    ['kill', '65'],
    ['kill', '-'],
    ['kill', '9.5'],
    ['kill', 'SIGNOPE'],
    ['kill', '9', '9'],
    ['stop', 'soon'],
    ['stop', '-1s'],
    ['ping', 'x'],
    ['suspend', '1s'],
    ['change_sample_rate'],
    ['change_sample_rate', '9ms'],
    ['change_sample_rate', '0'],
    ['change_sample_rate', '10'],
    ['set_limit', 'nofile'],
  ] as [string, ...string[]][]) {
    t.match(
      command(...words),
      { kind: 'refusal', name: words[0], answer: { ok: false, error: { code: 'bad_arguments' } } },
      words.join(' '),
    );
  }
});

t.test('turns down unknown commands and names the near one', async (t) => {
  t.match(command('kil'), {
    answer: { error: { code: 'unknown_command', message: 'unknown command "kil"; did you mean "kill"?' } },
  });
  for (const name of ['toString', '__proto__', 'constructor', 'KILL']) {
    t.match(command(name), { answer: { error: { code: 'unknown_command' } } }, name);
  }
});
