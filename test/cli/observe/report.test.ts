import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { NOTE_NAMES } from '../../../src/cli/observe/report.js';
import { sharedBroker, unique, until } from '../../fixtures/broker.js';
import { exitedMessage } from '../../fixtures/observed.js';
import { run, start, temporaryFolder } from '../../fixtures/run.js';

/** `proc_box report` of the real program, with files and with a box that runs. */

const uri = await sharedBroker(t);
const folder = temporaryFolder(t);
const at = (name: string, ...messages: object[]) => {
  const path = join(folder, name);
  writeFileSync(path, messages.map((message) => `${JSON.stringify(message)}\n`).join(''));
  return path;
};
const end = (box: string, more = {}) => exitedMessage({ box, job: '1234', ...more }, 9, Date.now());
const report = (...words: string[]) => run(t, [], { bare: true, options: ['report', '--config', 'none', ...words] });

t.test('from files: the job that is asked for, or every one', async (t) => {
  const path = at('messages.jsonl', end('b1'), end('b2', { job: '77_1' }), end('b3', { job: '77_2' }));
  const one = await report('1234', path);
  t.equal(one.code, 0, one.stderr);
  t.match(one.stdout, /^Job 1234 of alice: 1 box on 1 node/);
  t.notMatch(one.stdout, '\x1b', 'no styles in a pipe');
  const all = await report(path);
  t.match(all.stdout, /^Job 1234 .*\n[\s\S]*\nJob 77 of alice, 2 array tasks/);
  t.match(JSON.parse((await report(path, '--json', '77_2')).stdout), [{ job: '77_2', boxes: [{ box: 'b3' }] }]);
  t.match(await report('4711', path), {
    code: 2,
    stderr: /the files contain nothing about job "4711"; they have messages from 3 boxes/,
  });
});

t.test('from the boxes of a job that runs', async (t) => {
  const key = unique('report');
  const job = unique('7');
  const env = { PBS_JOBID: `${job}.server` };
  const box = start(t, ['sleep', '1000'], {
    bare: true,
    options: [
      '-uri',
      uri,
      '--config',
      'none',
      '--agent',
      'none',
      '-rkey',
      key,
      '-skey',
      `${key}.s`,
      '-ekey',
      `${key}.e`,
      '--timeout',
      '1h',
      '--',
    ],
    env,
  });
  await box.jobPid();
  const words = ['-uri', uri, '-rkey', key, '--wait', '2s'];
  // The job runs before its box has reached the broker.
  const answered = await until(async () => {
    const asked = await report(...words, job);
    return asked.code !== 2 && asked;
  }, 'the box answers');
  t.equal(answered.code, 0, answered.stderr);
  t.match(answered.stdout, 'still running');
  t.match(await report(...words, 'no-such-job'), { code: 2, stderr: /no box of job "no-such-job" has answered/ });
});

t.test('says what is wrong', async (t) => {
  const fails = async (words: readonly string[], message: RegExp) =>
    t.match(await report(...words), { code: 125, stderr: message });
  await fails([], /no job given; usage: proc_box report/);
  await fails(['1', '2'], /expected one job: found "1" and "2"/);
  await fails(['--by', 'rack', '1'], /--by: "rack": expected one of node, job, step, box/);
  await fails(['--notes', 'margn=1', '1'], /did you mean "margin"\?/);
  await fails(['--notes-file', '/nowhere', '1'], /--notes-file: read "\/nowhere": ENOENT/);
  await fails(['-uri', 'none', '1'], /--uri is "none"/);
});

t.test('docs/observe.md names every threshold', async (t) => {
  const page = readFileSync(new URL('../../../docs/observe.md', import.meta.url), 'utf8');
  for (const name of NOTE_NAMES) t.match(page, `| ${name} |`, name);
});
