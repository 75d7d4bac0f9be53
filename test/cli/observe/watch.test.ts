import t from 'tap';
import { sharedBroker, unique } from '../../fixtures/broker.js';
import { run, start } from '../../fixtures/run.js';

/** `proc_box watch` of the real program, with a real box. */

const uri = await sharedBroker(t);
const key = unique('watch');
const BROKER = ['-uri', uri, '--config', 'none', '-skey', `${key}.s`, '-ekey', `${key}.e`];

t.test('shows a job until it has ended', async (t) => {
  const watching = start(t, [], { bare: true, options: ['watch', ...BROKER, '--until', 'exited'] });
  const begun = new Promise<void>((resolve) =>
    watching.child.stderr!.on('data', () => watching.stderr().includes('watching') && resolve()),
  );
  await begun;
  await run(t, ['sh', '-c', 'exit 3'], { bare: true, options: [...BROKER, '-rkey', key, '--agent', 'none', '--'] });
  const { code, stdout } = await watching.done;
  t.equal(code, 0);
  t.match(stdout, / started: sh, pid \d+/);
  t.match(stdout, / sample: CPU /);
  t.match(stdout, / ended: exited, exit status 3, /);
  t.notMatch(stdout, '\x1b', 'no styles in a pipe');
});

t.test('says what is wrong', async (t) => {
  const fails = async (words: readonly string[], message: RegExp) =>
    t.match(await run(t, [], { bare: true, options: ['watch', ...BROKER, ...words] }), { code: 125, stderr: message });
  await fails(['--only', 'exitd'], /--only: unknown kind "exitd"; did you mean "exited"\?/);
  await fails(['--until', 'sample'], /--until: unknown kind "sample"/);
  await fails(['--count', '0'], /--count: /);
  await fails(['x'], /"x" is not an option/);
});
