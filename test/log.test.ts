import t from 'tap';
import { createLogger, type LogLevel } from '../src/log.js';

t.test('a level writes itself and what is more important', async (t) => {
  const levels: readonly LogLevel[] = ['error', 'warn', 'info', 'debug'];
  const all = ['proc_box: error: m\n', 'proc_box: warn: m\n', 'proc_box: m\n', 'proc_box: debug: m\n'];
  for (const [index, level] of levels.entries()) {
    const lines: string[] = [];
    const log = createLogger(level, { write: (line) => lines.push(line) });
    for (const one of levels) log[one]('m');
    t.strictSame(lines, all.slice(0, index + 1), level);
  }
});

t.test('a record is one line, drives no terminal and shows no password', async (t) => {
  const lines: string[] = [];
  createLogger('info', { write: (line) => lines.push(line) }).info('a\nb \u001b[2J amqp://u:s3cret@h/v');
  t.match(lines, [/^proc_box: a\\nb \\u001b\[2J amqp:\/\/[^\n]*@h\/v\n$/]);
  t.notMatch(lines[0], /s3cret/);
});
