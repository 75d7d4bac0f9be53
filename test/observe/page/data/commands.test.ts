import t from 'tap';
import { ACTIONS, commandTargets, question } from '../../../../src/observe/page/data/commands.js';
import { findCommand } from '../../../../src/options/table/commands.js';

t.test('what the page offers are commands of a box', async (t) => {
  for (const { command } of ACTIONS) t.ok(findCommand(command), command);
});

t.test('a question names what it is about', async (t) => {
  const [suspend, , time] = ACTIONS as readonly [(typeof ACTIONS)[number], unknown, (typeof ACTIONS)[number]];
  t.equal(question(suspend, 3, 'of job 12'), 'Suspend 3 boxes of job 12?');
  t.equal(question(time, 1, 'of job 12'), 'Change the time limit of the box of job 12?');
});

t.test('what is typed has the form that a box takes', async (t) => {
  const accepts = (label: string) => {
    const pattern = ACTIONS.find((action) => action.label === label)?.asks?.pattern;
    return (text: string) => new RegExp(`^(?:${pattern})$`, 'v').test(text);
  };
  const time = accepts('Time limit');
  for (const text of ['2h', '90m', '1h30m', '+30m', '1.5h', '0']) t.ok(time(text), text);
  for (const text of ['', '2', 'h', '-30m', '2h; kill', '2 hours']) t.notOk(time(text), text);
  const memory = accepts('Memory limit');
  for (const text of ['512M', '4G', '1.5GiB', '4 GiB', '1073741824']) t.ok(memory(text), text);
  for (const text of ['', 'G', '-1G', '4X']) t.notOk(memory(text), text);
});

t.test('a command goes to a box, to a job, or to each task of an array', async (t) => {
  const rows = [
    { box: 'b1', job: '7_1', cluster: 'c1', user: 'alice' },
    { box: 'b2', job: '7_1', cluster: 'c1', user: 'alice' },
    { box: 'b3', job: '7_2', cluster: null, user: 'alice' },
  ];
  t.strictSame(commandTargets(rows, true), [{ box: 'b1' }]);
  t.strictSame(commandTargets(rows, false), [
    { job: '7_1', user: 'alice', cluster: 'c1' },
    { job: '7_2', user: 'alice' },
  ]);
});
