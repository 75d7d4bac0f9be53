/** The demonstration of `npm run quickstart`, once everything is installed and the broker is running. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ConsumeMessage } from 'amqplib';
import { createInbox, type Inbox } from './inbox.js';
import { eventLine, sampleLine } from './lines.js';
import { connectOperator, type Operator } from './operator.js';
import { keepOpen, QUEUE, showPage, startCollector } from './page.js';

const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));
const box = join(root, 'bin', 'proc_box');
const job = join(root, 'scripts', 'dev', 'quickstart', 'job.sh');

const scratch = mkdtempSync(join(tmpdir(), 'proc_box-quickstart-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

const uri = process.env['PROC_BOX_QUICKSTART_URI'] as string;
await using operator = await connectOperator(uri);
const inbox = createInbox();
await operator.consume('proc_box.stats.#', received('sample'));
await operator.consume('proc_box.events.#', received('event'));

say('\nA collector stores what boxes publish, and serves a web page:');
const collector = await startCollector(box, uri, scratch);

const socket = join(scratch, 'agent.sock');
say('\nOne agent serves the boxes of a node. It has the link to the broker:');
say(`\n$ proc_box agent --user --socket ${socket} --uri ${uri} &`);
const agent = spawn(box, ['agent', '--user', '--socket', socket, '--uri', uri], {
  stdio: ['ignore', 'inherit', 'pipe'],
});
const listening = new Promise<void>((resolve, reject) => {
  agent.stderr.on('data', (chunk: Buffer) => {
    process.stderr.write(chunk);
    if (chunk.includes('serves boxes at')) resolve();
  });
  agent.once('exit', (status) => reject(new Error(`the agent ended with ${status}`)));
});
await listening;

const args = [
  '--agent',
  socket,
  '-sint',
  '1s',
  '-timeout',
  '5m',
  '--rlimit',
  'nofile=256:1024',
  '--report',
  '--',
  'sh',
  job,
  scratch,
];
say(`\n$ proc_box ${args.join(' ')}\n`);
const child = spawn(box, args, { stdio: ['ignore', 'inherit', 'inherit'] });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;

const early = ended.then(() => Promise.reject(new Error('proc_box ended before it was killed')));
await Promise.race([operate(operator, inbox), early]).catch(async (error: Error) => {
  child.kill('SIGTERM');
  await ended;
  await endAgent();
  await collector.end();
  say(`\nquickstart: ${error.message}`);
  process.exit(1);
});
const [code, signal] = await ended;
const last = await inbox.next((message) => message['event'] === 'exited');
await endAgent();
const jobId = (last['identity'] as { job: string }).job;
say(`\nproc_box ended with ${signal ?? `exit status ${code}`}: 137 is 128 + 9, the job was killed by signal 9.`);
say(`
Your own job, with your broker and without an agent:
  ${box} -uri amqp://user:password@host -json '{"project":"x"}' -- ./job arguments
or without one:
  ${box} -uri none --report -- ./job arguments
README.md goes on from here.`);
await showPage(collector, jobId);
if (process.env['PROC_BOX_QUICKSTART_PAGE'] === '1') await keepOpen(collector, jobId);
await collector.end();
await operator.removeQueue(QUEUE);
process.exitCode = code === 137 ? 0 : 1;

/** The operator's part: sends each command to this box only, and shows its answer. */
async function operate(operator: Operator, inbox: Inbox): Promise<void> {
  const first = await inbox.next((message) => 'Host' in message);
  const identity = first['Identity'] as { box: string };
  const key = `proc_box.remote_control.box.${identity.box}`;
  const command = async (name: string, ...args: string[]) => {
    say(`\n> ${key}  ${JSON.stringify({ command: name, arguments: args })}`);
    const answer = await operator.send(key, name, args);
    say(`< ${JSON.stringify(answer)}\n`);
    if (!answer.ok) throw new Error(`${name} was refused`);
  };
  const samples = async (count: number) => {
    for (let i = 0; i < count; i += 1) await inbox.next((message) => 'Host' in message);
  };
  await samples(3);
  list();
  await command('suspend');
  await samples(2);
  await command('resume');
  await samples(1);
  await command('set_limit', 'nofile', '512');
  await command('set_limit', 'timeout', '2m');
  await samples(2);
  await command('kill');
}

/** What the agent shows of its boxes, without the broker. */
function list(): void {
  say(`\n$ proc_box list --agent ${socket}`);
  say(spawnSync(box, ['list', '--agent', socket], { encoding: 'utf8' }).stdout);
}

async function endAgent(): Promise<void> {
  agent.removeAllListeners('exit').kill('SIGTERM');
  if (agent.exitCode === null) await once(agent, 'exit');
}

function received(kind: 'sample' | 'event') {
  return (message: ConsumeMessage) => {
    const body = JSON.parse(message.content.toString()) as Record<string, unknown>;
    say(kind === 'sample' ? sampleLine(body) : eventLine(body));
    inbox.add(body);
  };
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
