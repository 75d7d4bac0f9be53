import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Keeper, type KeeperEvent, launchKeeper, randomHex, readText } from 'cgroup-utils-native';
import { createCgroup } from '../src/cgroup/create.js';
import { removeCgroup } from '../src/cgroup/remove.js';
import { runHere } from '../src/kernel/run-task.js';
import { toTexts } from '../src/kernel/texts.js';
import { type Bench, ms, procBox, type Row, root } from './measure.js';

const BOMB = join(root, 'test', 'fixtures', 'jobs', 'fork-bomb-forever.py');
const PYTHON = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3';
const ROUNDS = 20;
const ANSWERS = 10;
const ANSWER_MS = 100;

/** A fork bomb at its process limit: how soon the keeper answers, how long a kill takes, and how many processes it leaves. */
export async function forkBomb(bench: Bench): Promise<Row[]> {
  const rounds = bench.rounds(ROUNDS);
  const answers: number[] = [];
  const kills: number[] = [];
  let left = 0;
  for (let round = 0; round < rounds; round += 1) {
    const request = { stayBelow: true, scheduled: false, ourPids: [process.pid], below: [], oomGroup: true };
    const cgroup = runHere(createCgroup({ ...request, name: `proc_box-bench${randomHex(4)}`, limits: ['pids'] }));
    runHere(cgroup.set('pids', 64));
    const files = cgroup.usageFiles();
    const figures = () => cgroup.usage(toTexts(files, files.map(readText)));
    const events = new Map<string, KeeperEvent>();
    const words = [PYTHON, '-S', BOMB];
    const keeper = new Keeper(launchKeeper(procBox, words, ['PATH=/usr/bin:/bin']), (event) =>
      events.set(event.type, event),
    );
    try {
      await until(() => events.has('hello'));
      keeper.cleanup(cgroup.cleanup);
      keeper.start({ commandIndex: 1, rlimits: [], cgroup, stdoutMaxBytes: 0 });
      await until(() => (figures()?.pids?.refused ?? 0) > 0);
      for (let i = 0; i < ANSWERS; i += 1) answers.push(await timed(() => keeper.sample({})));
      kills.push(
        await timed(async () => {
          await keeper.kill();
          await until(() => events.has('empty'));
        }),
      );
      left += figures()?.pids?.current ?? 0;
    } finally {
      keeper.finish(); // an open keeper would keep this process alive
    }
    if (figures()?.pids != null) left += 1;
    runHere(removeCgroup(cgroup));
  }
  const worst = Math.max(...answers);
  return [
    {
      figure: 'answer of a box with a fork bomb at --pids 64',
      measured: ms(worst),
      reference: `worst of ${answers.length}`,
      target: `at most ${ANSWER_MS} ms`,
      pass: worst <= ANSWER_MS,
    },
    {
      figure: `left by its kill, ${rounds} times`,
      measured: `${left} processes and groups`,
      reference: `kill to empty: at most ${ms(Math.max(...kills))}`,
      target: 'nothing',
      pass: left === 0,
    },
  ];
}

async function timed(what: () => Promise<unknown>): Promise<number> {
  const before = performance.now();
  await what();
  return performance.now() - before;
}

async function until(look: () => boolean): Promise<void> {
  for (const end = performance.now() + 10_000; !look(); ) {
    if (performance.now() > end) throw new Error('not within 10 s');
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
