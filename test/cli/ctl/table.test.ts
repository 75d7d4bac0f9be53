import t from 'tap';
import type { CtlAnswer } from '../../../src/cli/ctl/answer.js';
import { formatTable } from '../../../src/cli/ctl/table.js';

const answer = (job: string, result?: object, more: Partial<CtlAnswer> = {}): CtlAnswer => ({
  ok: true,
  box: `b${job}`,
  host: 'n1',
  job,
  command: 'ping',
  result,
  ...more,
});

t.test('a line for each box, in columns, sorted by user, job, task and host', async (t) => {
  const of = (user: string, step: string | null, task: string | null) => ({ identity: { user, step, task } });
  const text = formatTable([
    answer('10', { ...of('bob', '0', '1'), state: 'running', memory_bytes: 2 ** 30 }),
    answer('9', { ...of('bob', '0', '10'), state: 'suspended', memory_bytes: 512 }),
    answer('9', { ...of('bob', '0', '9'), state: 'running', memory_bytes: -1 }),
    answer('11', { ...of('alice', null, null), state: 'running' }),
  ]);
  t.equal(
    text,
    [
      'USER   JOB  TASK  HOST  STATE      MEMORY  BOX',
      'alice  11   -     n1    running         -  b11',
      'bob    9    0.9   n1    running         -  b9',
      'bob    9    0.10  n1    suspended   512 B  b9',
      'bob    10   0.1   n1    running     1 GiB  b10',
      '',
    ].join('\n'),
  );
});

t.test('nothing that comes from the network breaks a line, drives a terminal, or is without end', async (t) => {
  const [, line] = formatTable([answer('1', { identity: { user: 'a\nb\u001b[2J' }, state: 'x'.repeat(500) })]).split(
    '\n',
  );
  t.match(line, /^a\\nb\\u001b\[2J {2}1 {4}- /);
  t.ok(line!.length < 120);
  t.equal(formatTable([answer('1', undefined)]).split('\n').length, 3, 'an answer without anything');
  t.match(formatTable([]), /^USER/);
});
