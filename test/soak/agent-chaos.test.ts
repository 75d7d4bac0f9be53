// test-timeout: 1500s
// test-alone

import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { askAgent } from '../../src/agent/ask.js';
import { foreignClient, sharedBroker, unique, until } from '../fixtures/broker.js';
import { boxIdOf, groupsOf } from '../fixtures/cgroups.js';
import { connectOperator, type Operator, untilAnswered } from '../fixtures/operated-job.js';
import {
  allGone,
  job,
  killQuietly,
  PROC_BOX,
  plainEnvironment,
  type Result,
  type Running,
  start,
  temporaryFolder,
} from '../fixtures/run.js';
import { LONG, report } from './soak.js';

/**
 * Jobs of mixed kinds while their agent is killed and ended again and again: each job ends as it would have without that, no
 * sequence number is used twice, no command carried out twice, and nothing is left.
 */

const JOBS = LONG ? 1_000 : 100;
const AT_ONCE = LONG ? 50 : 20;
/** Each step towards the end is taken within this time: half a second of the keeper's patience, and what a busy machine takes. */
const LATE_SEC = 1;

interface Site {
  readonly agent: RestartedAgent;
  readonly operator: Operator;
  readonly prefix: string;
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
}

interface Kind {
  readonly options?: readonly string[];
  readonly command: readonly string[];
  /** What happens to the box while it runs. */
  readonly act?: (running: Running, key: string, site: Site) => Promise<void>;
  /** @returns what is wrong with the end of the job; null if nothing is */
  readonly wrong: (result: Result) => unknown;
}

/** An agent that is ended by a signal at random moments, and started again a moment later. */
class RestartedAgent {
  /** How many have begun. */
  generation = 0;
  isUp = false;
  readonly #words: readonly string[];
  readonly #socket: string;
  #child: ChildProcess | undefined;
  #pid = 0;

  constructor(socket: string, uri: string) {
    this.#socket = socket;
    this.#words = ['agent', '--user', '--socket', socket, '--config', 'none', '--uri', uri, '--flush', '2s'];
  }

  async start(): Promise<void> {
    this.#child = spawn(PROC_BOX, this.#words, { stdio: ['ignore', 'ignore', 'inherit'], env: plainEnvironment() });
    this.#pid = await until(() => pidOf(this.#socket), 'the agent answers');
    this.generation++;
    this.isUp = true;
  }

  /** Until `over`. @returns how often each signal was sent */
  async torment(over: () => boolean): Promise<Record<string, number>> {
    const counts = { SIGKILL: 0, SIGTERM: 0 };
    while (!over()) {
      await pause(500 + Math.random() * 3_000);
      const signal = Math.random() < 0.5 ? 'SIGKILL' : 'SIGTERM';
      await this.end(signal);
      counts[signal]++;
      await pause(Math.random() * 800);
      await this.start();
    }
    return counts;
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.isUp = false;
    const ended = once(child, 'close');
    process.kill(this.#pid, signal);
    await ended;
    this.#child = undefined;
  }

  /** The next agent has begun. */
  async successor(generation: number): Promise<void> {
    await until(() => this.isUp && this.generation > generation, 'the next agent');
  }
}

async function pidOf(socket: string): Promise<number | null> {
  try {
    return ((await askAgent(socket, 'status')) as { pid: number }).pid;
  } catch {
    return null;
  }
}

const status =
  (code: number) =>
  ({ code: was, stderr }: Result) =>
    was === code ? null : { code: was, stderr };

/** The exit status of a limit, and the time at which it was acted on. */
const limited =
  (code: number, fromSec: number, steps = 1) =>
  ({ code: was, stderr }: Result) => {
    const sec = Number(/^Task elapsed time: (\S+) seconds\.$/m.exec(stderr)?.[1]);
    return was === code && sec >= fromSec && sec <= fromSec + steps * LATE_SEC ? null : { code: was, sec, stderr };
  };

const sh = (script: string): string[] => ['sh', '-c', script];
const nap = () => (Math.random() * 2).toFixed(2);
const oneOf = <T>(values: readonly T[]): T => values[Math.floor(Math.random() * values.length)]!;

const KINDS: readonly (() => Kind)[] = [
  () => {
    const code = oneOf([0, 1, 3, 77, 124, 125, 255]);
    return { command: sh(`sleep ${nap()}; exit ${code}`), wrong: status(code) };
  },
  () => {
    const signal = oneOf([1, 6, 9, 10, 15]);
    return { command: sh(`sleep ${nap()}; kill -${signal} $$; sleep 9`), wrong: status(128 + signal) };
  },
  () => ({ command: ['true'], wrong: status(0) }),
  () => ({ command: sh('exit 5'), wrong: status(5) }),
  () => ({ options: ['--timeout', '1s'], command: ['sleep', '100'], wrong: limited(124, 1) }),
  () => ({
    options: ['--timeout', '1s', '--grace', '700ms'],
    command: sh('trap "" TERM; while :; do sleep 0.1; done'),
    wrong: limited(124, 1.7, 2),
  }),
  () => ({ command: sh(`setsid sleep 1000 & (sleep 1000 &); sleep ${nap()}; exit 6`), wrong: status(6) }),
  () => ({
    options: ['--grace', '500ms'],
    command: sh(`(trap "" TERM; setsid sh -c "sleep 1000; :" &); sleep ${nap()}; exit 8`),
    wrong: status(8),
  }),
  () => ({
    options: ['--memory', '48M'],
    command: [...sh(`sleep ${nap()}; exec "$@"`), 'sh', ...job('allocate.py', '300')],
    wrong: ({ code, stderr }) => (code === 137 ? null : { code, stderr }),
  }),
  () => ({
    command: ['seq', '1', '600000'],
    wrong: ({ code, stdoutBytes, stderr }) =>
      code === 0 && hashOf(stdoutBytes) === NUMBERS ? null : { code, bytes: stdoutBytes.length, stderr },
  }),
  suspended,
  commanded,
  signalled,
];

function hashOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
const NUMBERS = hashOf(Buffer.from(Array.from({ length: 600_000 }, (_, index) => `${index + 1}\n`).join('')));

const AWAIT_FILE = 'while [ ! -e "$FILE" ]; do sleep 0.05; done';

/** Suspended across a takeover. */
function suspended(): Kind {
  return {
    options: ['--timeout', '15s'],
    command: sh(`echo up; ${AWAIT_FILE}; exit 9`),
    async act(running, key, { agent, operator, folder }) {
      await running.says('up');
      const { generation } = agent;
      await carriedOut(operator, key, 'suspend');
      await Promise.all([agent.successor(generation), pause(2_500)]);
      await carriedOut(operator, key, 'resume');
      writeFileSync(join(folder, key), '');
    },
    wrong: status(9),
  };
}

const COUNT = `n=0; trap 'n=$((n + 1))' USR1; echo up; ${AWAIT_FILE}; sleep 0.1; echo got $n`;

/** A command that comes again with its id after a takeover. */
function commanded(): Kind {
  let answered = false;
  return {
    command: sh(COUNT),
    async act(running, key, { agent, operator, folder }) {
      await running.says('up');
      const messageId = unique('m');
      const { generation } = agent;
      const body = { command: 'kill', arguments: ['USR1'] };
      const first = await Promise.race([operator.send(key, body, { messageId }).catch(() => null), pause(1_500)]);
      answered = first?.body.ok === true;
      await Promise.race([agent.successor(generation), pause(4_000)]);
      await untilAnswered(() => operator.send(key, body, { messageId }));
      writeFileSync(join(folder, key), '');
    },
    // Without an answer it may have been lost with the agent, but it never comes twice.
    wrong: ({ code, stdout, stderr }) =>
      code === 0 && (answered ? /got 1\n/ : /got [01]\n/).test(stdout) ? null : { code, stdout, answered, stderr },
  };
}

function signalled(): Kind {
  const [name, code] = oneOf([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const);
  return {
    command: sh('echo up; exec sleep 1000'),
    async act(running) {
      await running.says('up');
      await pause(Math.random() * 1_500);
      running.kill(name);
    },
    wrong: status(code),
  };
}

async function carriedOut(operator: Operator, key: string, command: string): Promise<void> {
  const messageId = unique('m');
  await untilAnswered(() => operator.send(key, { command }, { messageId }));
}

t.test(`${JOBS} jobs, while their agent ends and is started again`, async (t) => {
  const site = await setUp(t);
  const queue = await messagesOf(t, site);
  await site.agent.start();
  let over = false;
  const faults = site.agent.torment(() => over);
  let next = 0;
  const boxes: Running[] = [];
  const worker = async () => {
    while (next < JOBS) {
      await until(() => site.agent.isUp, 'the agent is up');
      boxes.push(await oneJob(t, site, next++));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  over = true;
  const counts = await faults;
  await site.agent.end('SIGTERM');
  for (const running of boxes) await allGone(running);
  const left = boxes.flatMap(({ stderr }) => (stderr().includes('in box ') ? groupsOf(boxIdOf(stderr())) : []));
  t.strictSame(left, [], 'no group is left');
  const { messages, ended } = checkNumbers(t, queue());
  report(
    `agent chaos: ${JOBS} jobs through ${counts['SIGKILL']} SIGKILL and ${counts['SIGTERM']} SIGTERM of their agent: ` +
      `${messages} messages, the end of ${ended} boxes`,
  );
});

async function setUp(t: Test): Promise<Site> {
  const uri = await sharedBroker(t);
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'proc_box'), { mode: 0o700 });
  const config = join(folder, 'config.yaml');
  // A box that meets no agent has a Node of its own: the broker is in the file because naming it means a Node, too.
  writeFileSync(config, `uri: ${uri}\n`);
  const agent = new RestartedAgent(join(folder, 'proc_box', 'agent.sock'), uri);
  t.teardown(() => agent.end('SIGKILL').catch(() => {}));
  const operator = await connectOperator(t, uri);
  const env = { XDG_RUNTIME_DIR: folder, PBOX_CONFIG: config };
  return { agent, operator, prefix: unique('chaos'), folder, env };
}

/** @returns the ids of the messages that have come so far, in the order in which they came, with their types */
async function messagesOf(t: Test, { operator, prefix }: Site): Promise<() => { id: string; isEnd: boolean }[]> {
  const { channel } = await foreignClient(t, operator.uri);
  const { queue } = await channel.assertQueue('', { exclusive: true });
  for (const part of ['stats', 'events']) await channel.bindQueue(queue, 'amq.topic', `${prefix}.${part}.#`);
  const messages: { id: string; isEnd: boolean; text?: string }[] = [];
  await channel.consume(
    queue,
    (message) => {
      if (message === null) return;
      const isEnd = message.content.includes('"event":"exited"');
      messages.push({ id: String(message.properties.messageId), isEnd, text: message.content.toString() });
    },
    { noAck: true },
  );
  return () => messages;
}

async function oneJob(t: Test, site: Site, number: number): Promise<Running> {
  const { prefix, folder, env } = site;
  const { options = [], command, act, wrong } = KINDS[number % KINDS.length]!();
  const key = `${prefix}.ctl.${number}`;
  const keys = ['-rkey', key, '-skey', `${prefix}.stats`, '-ekey', `${prefix}.events`, '-sint', '300ms'];
  const running = start(t, command, {
    bare: true,
    options: [...keys, ...options, '--'],
    env: { ...env, FILE: join(folder, key) },
  });
  const acted = act?.(running, key, site).catch((error: Error) => {
    killQuietly(running.pid);
    return error;
  });
  const result = await running.done;
  const failed = await acted;
  const found = failed instanceof Error ? { failed: failed.message, stderr: result.stderr } : wrong(result);
  t.equal(found, null, `${number}: ${options.join(' ')} ${command.join(' ').slice(0, 60)}`);
  return running;
}

/** Of each box the numbers rise, and none comes twice. */
function checkNumbers(t: Test, messages: readonly { id: string; isEnd: boolean }[]) {
  const last = new Map<string, number>();
  const wrong: string[] = [];
  for (const { id } of messages) {
    const [box = '', number] = id.split('-');
    if (Number(number) <= (last.get(box) ?? 0)) wrong.push(`${id} after ${last.get(box)}`);
    last.set(box, Number(number));
  }
  t.strictSame(wrong, [], 'sequence numbers rise, and none comes twice');
  t.ok(last.size > JOBS / 2, `messages of ${last.size} boxes`);
  const ends = messages.filter(({ isEnd }) => isEnd).map(({ id }) => id.split('-')[0]!);
  const twice = ends.filter((box, index) => ends.indexOf(box) < index);
  t.strictSame(
    messages.filter(({ id }) => twice.includes(id.split('-')[0]!)),
    [],
    'a box ends once',
  );
  return { messages: messages.length, ended: ends.length };
}

function pause(ms: number): Promise<null> {
  return new Promise((resolve) => setTimeout(resolve, ms, null));
}
