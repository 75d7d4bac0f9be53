import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Keeper, KeeperEvent } from 'cgroup-utils-native';
import t, { type Test } from 'tap';
import type { AdoptRequest } from '../../src/adopt/request.js';
import { type ServedBox, serveBox } from '../../src/adopt/served-box.js';
import { systemFiles } from '../../src/options/files.js';
import { bare } from '../fixtures/adopted.js';
import { temporaryFolder } from '../fixtures/run.js';

/** One box of a supervisor, until it is made; test/adopt/serve.test.ts tests complete ones. */

const HELLO: KeeperEvent = { type: 'hello' } as KeeperEvent;
const NOBODY = '4194304';

function serve(t: Test, words: readonly string[], more: Partial<ServedBox> = {}, request: Partial<AdoptRequest> = {}) {
  const answers: [number, string][] = [];
  const finished: Keeper[] = [];
  const notices: string[] = [];
  let keepers = 0;
  let endings = 0;
  let tell: (event: KeeperEvent) => void = () => t.fail('there is no keeper');
  const keeper = { pid: 4_194_303, pids: [4_194_303] } as unknown as Keeper;
  serveBox({
    request: {
      argv: ['proc_box', 'adopt', ...words],
      settings: ['PBOX_CONFIG=none', 'PBOX_URI=none'],
      environment: {},
      failsOpen: false,
      pid: process.pid,
      untilMs: 0,
      ...request,
    },
    answer: (status, text) => answers.push([status, text]),
    makeKeeper(onEvent) {
      keepers++;
      tell = onEvent;
      return keeper;
    },
    finish: (gone) => finished.push(gone),
    ended: () => endings++,
    newBoxId: () => 'b0',
    files: systemFiles(),
    loadYaml: () => createRequire(import.meta.url)('yaml'),
    loadNotice: () => ({
      tellUnboxed: async ({ why }) => void notices.push(why),
    }),
    loadRun: () => t.fail('there is no box'),
    ...more,
  } as ServedBox);
  return {
    answers,
    finished,
    notices,
    keeper,
    tell: (event: KeeperEvent) => tell(event),
    keepers: () => keepers,
    endings: () => endings,
  };
}

t.test('wrong words are answered at once, without a keeper', async (t) => {
  for (const [words, said] of [
    [['--memry', '1G'], /^proc_box: error: unknown option "--memry"; did you mean --memory\?\n$/],
    [[], /^proc_box: error: no process given/],
  ] as const) {
    const { answers, keepers, endings } = serve(t, words);
    t.match(answers, [[125, said]]);
    t.strictSame([keepers(), endings()], [0, 1]);
  }
  const help = serve(t, ['--help']);
  t.match(help.answers, [[0, /^usage: proc_box adopt/]]);
  t.strictSame([help.keepers(), help.endings()], [0, 1]);
});

t.test('if a box cannot be made, its keeper is ended and the answer says why', async (t) => {
  const { answers, finished, keeper, tell, endings } = serve(t, ['--detach', '--pid', NOBODY]);
  t.strictSame([answers, endings()], [[], 0], 'it waits for the hello of the keeper');
  tell(HELLO);
  t.strictSame(answers, [[125, `proc_box: error: --pid ${NOBODY}: there is no such process\n`]]);
  t.strictSame([finished, endings()], [[keeper], 1]);
  tell({ type: 'gone' });
  t.strictSame([answers.length, endings()], [1, 1], 'the end of the keeper changes nothing');
});

t.test('a keeper that dies, is of another version or cannot be started leads to an error', async (t) => {
  const dead = serve(t, ['--pid', '7']);
  dead.tell({ type: 'gone' });
  t.match(dead.answers, [[125, /internal error: the keeper has died before the box was made/]]);
  const other = serve(t, ['--pid', '7']);
  other.tell({ type: 'mismatch', version: 1, expected: 2 });
  t.match(other.answers, [[125, /proc_box has been updated, but its supervisor is of the old version/]]);
  t.strictSame([dead.finished.length, other.finished.length], [1, 1]);
  const none = serve(t, ['--pid', '7'], {
    makeKeeper: () => {
      throw new Error('socketpair: EMFILE');
    },
  });
  t.match(none.answers, [[125, 'proc_box: error: internal error: socketpair: EMFILE\n']]);
  t.equal(none.endings(), 1);
});

t.test('with --failure open an event reports the job without a box', async (t) => {
  const closed = serve(t, ['--memry', '1G']);
  const open = serve(t, ['--memry', '1G'], {}, { failsOpen: true });
  t.strictSame(closed.notices, []);
  t.match(open.notices, [/unknown option "--memry"/]);
  const broken = {
    loadNotice: () => {
      throw new Error('dist/notice.cjs: ENOENT');
    },
  };
  t.match(serve(t, ['--memry', '1G'], broken, { failsOpen: true }).answers, [[125, /--memry/]]);
});

t.test('relative file names start at the folder of the client', async (t) => {
  const folder = temporaryFolder(t);
  const environment = { PWD: folder };
  const words = ['--pid', NOBODY, '--log-file', 'log', '--pid-file', 'pid'];
  const { answers, tell } = serve(t, words, {}, { environment });
  tell(HELLO);
  t.match(answers, [[125, /there is no such process/]]);
  t.ok(existsSync(join(folder, 'log')), 'the log stays');
  t.notOk(existsSync(join(folder, 'pid')), 'the pid file is removed');
  const nowhere = serve(t, ['--pid', NOBODY, '--log-file', 'none/log'], {}, { environment });
  nowhere.tell(HELLO);
  t.match(nowhere.answers, [[125, `--log-file ${folder}/none/log: ENOENT`]]);
});

t.test('a FIFO, which could hold up every box of the supervisor, is not read', async (t) => {
  const folder = temporaryFolder(t);
  const { pid } = bare(t, 'sleep 600');
  execFileSync('mkfifo', [join(folder, 'fifo')]);
  const settings = ['PBOX_URI=none'];
  for (const [name, said] of [
    ['fifo', /error: fifo is not a regular file\n$/],
    ['none.yaml', /read none\.yaml: ENOENT/],
  ] as const) {
    const words = ['--pid', String(pid), '--config', name];
    const { answers, tell } = serve(t, words, {}, { environment: { PWD: folder }, settings });
    tell(HELLO);
    t.match(answers, [[125, said]]);
  }
});
