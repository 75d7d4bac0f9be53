// test-timeout: 300s
import t, { type Test } from 'tap';
import { sharedBroker, unique, until } from '../fixtures/broker.js';
import { commandLineOf, isAlive, processesWith } from '../fixtures/processes.js';
import { killQuietly, PROC_BOX, run, start } from '../fixtures/run.js';
import { noTmux, openPane, type Pane } from '../fixtures/tmux.js';

/** `proc_box top` on a real terminal, with a real broker and real boxes. */

const uri = await sharedBroker(t);
const key = unique('top');
const BROKER = ['-uri', uri, '--config', 'none', '-skey', `${key}.s`, '-ekey', `${key}.e`, '-rkey', `${key}.r`];
const boxes = [1, 2].map(() =>
  start(t, ['sleep', '1000'], {
    bare: true,
    options: [...BROKER, '--agent', 'none', '--sint', '500ms', '--timeout', '1h', '--memory', '256M', '--'],
  }),
);
await Promise.all(boxes.map((box) => box.jobPid()));
const idOf = (index: number) => / box (\w+), pid/.exec(boxes[index]!.stderr())![1]!;
const command = [PROC_BOX, 'top', ...BROKER].map((word) => `'${word}'`).join(' ');
const skip = noTmux();

async function openTop(t: Test, columns = 80, rows = 24, options = '') {
  const mark = `PROC_BOX_TEST_RUN=${unique('pane')}`;
  const [name, value] = mark.split('=') as [string, string];
  const pane = await openPane(t, columns, rows, { [name]: value });
  const before = pane.stty();
  pane.type(`${command} ${options}`);
  pane.press('Enter');
  await pane.shows(/[12] box/);
  const node = () => processesWith(mark).find((pid) => commandLineOf(pid)?.[0] === 'proc_box-node');
  return { pane, before, node };
}

/** The terminal is as it was before. */
async function isRestored(t: Test, pane: Pane, before: string) {
  await until(() => !pane.modes().alternate || undefined, 'the alternate screen is left');
  t.ok(pane.modes().cursor, 'the cursor is visible');
  await until(() => pane.stty() === before || undefined, 'the modes of the line are those of before');
}

t.test('fits every size, and follows a resize', { skip }, async (t) => {
  const { pane } = await openTop(t);
  const screen = await pane.shows(/CPU%.*MEM.*LIM.*TIME/);
  t.match(screen, / 2 boxes: 2 running/);
  t.match(screen, /256M/);
  for (const [columns, rows] of [
    [200, 60],
    [40, 10],
    [80, 24],
  ] as const) {
    pane.resize(columns, rows);
    await pane.shows(
      new RegExp(`CPU%[\\s\\S]*256M[\\s\\S]*256M[\\s\\S]*${columns >= 80 ? 'q quit' : 'Enter details'}`),
    );
    const lines = pane.screen();
    t.match(lines.join('\n'), /CPU%/, `${columns}x${rows}`);
    for (const line of lines) t.ok(line.length <= columns, line);
    t.equal(lines.filter((line) => /\b256M\b/.test(line)).length, 2, 'a row for each box');
  }
  pane.press('q');
  await pane.shows('ready$');
});

t.test('suspends, resumes and kills, and asks before', { skip }, async (t) => {
  const { pane } = await openTop(t, 132);
  pane.type('/');
  pane.type(`box:${idOf(0)}`);
  pane.press('Enter');
  await pane.shows('1 box of 2');
  pane.type('s');
  t.match(await pane.shows('Suspend? y=yes'), idOf(0));
  pane.type('n');
  await pane.shows('suspend: cancelled');
  pane.type('sy');
  await pane.shows(/suspend ok/);
  await pane.shows(/\bsusp\b/);
  pane.type('ry');
  await pane.shows(/resume ok/);
  pane.type('ky');
  const { code } = await boxes[0]!.done;
  t.equal(code, 137);
  await pane.shows(/\bend\b/);
  pane.press('Escape');
  await pane.shows('2 boxes: 1 running, 1 ended');
  t.ok(isAlive(boxes[1]!.pid), 'and nothing else');
  pane.press('C-c');
  await pane.shows('ready$');
});

t.test('gives the terminal back, however it ends', { skip }, async (t) => {
  for (const end of ['q', 'SIGTERM', 'SIGHUP', 'SIGKILL', 'SIGABRT'] as const) {
    const { pane, before, node } = await openTop(t);
    t.ok(pane.modes().alternate);
    t.notOk(pane.modes().cursor);
    if (end === 'q') pane.press('q');
    else killQuietly(node()!, end);
    await isRestored(t, pane, before);
    await pane.shows('ready$');
  }
});

t.test('^Z gives the terminal to the shell, and fg takes it again', { skip }, async (t) => {
  const { pane, before } = await openTop(t);
  pane.press('C-z');
  await isRestored(t, pane, before);
  await pane.shows(/Stopped/);
  pane.type('fg');
  pane.press('Enter');
  await until(() => pane.modes().alternate || undefined, 'the screen is back');
  await pane.shows(/[12] box/);
  pane.press('q');
  await isRestored(t, pane, before);
});

t.test('prints the table once where there is no terminal, and JSON', async (t) => {
  const once = await run(t, [], { bare: true, options: ['top', ...BROKER] });
  t.equal(once.code, 0, once.stderr);
  t.match(once.stdout, /^USER +JOB +HOST +S +CPU%/);
  t.match(once.stdout, idOf(1));
  const json = await run(t, [], { bare: true, options: ['top', ...BROKER, '--json', '--box', idOf(1)] });
  t.match(JSON.parse(json.stdout), [
    { box: idOf(1), state: 'running', memory_limit: 256 * 1024 ** 2, limit_ms: 3_600_000 },
  ]);
});

t.test('says what is wrong in one line', async (t) => {
  const fails = async (options: readonly string[], words: RegExp, env = {}) => {
    const { code, stderr } = await run(t, [], { bare: true, options: ['top', ...BROKER, ...options], env });
    t.equal(code, 125);
    t.match(stderr, words);
    t.equal(stderr.trim().split('\n').length, 1, stderr);
  };
  await fails(['--sort', 'memry'], /^proc_box: error: --sort: unknown key "memry"; did you mean "memory"\?$/m);
  await fails(['now'], /"now" is not an option/);
  await fails(['-uri', 'amqp://127.0.0.1:1'], /connection refused/);
  await fails(['-uri', 'none'], /--uri is "none"/);
  await fails(['--collector', 'ftp://x'], /begins with http:\/\/ or https:\/\//);
  await fails(['--collector', 'http://127.0.0.1:1'], /ECONNREFUSED: is it running there\?/);
});
