// test-timeout: 200s
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import t from 'tap';
import { freePorts } from '../../scripts/dev/broker.mjs';
import { collect, foreignClient, privateBroker } from '../fixtures/broker.js';
import { findProgram } from '../fixtures/programs.js';
import { temporaryFolder } from '../fixtures/run.js';

/** The commands of docs/messages.md, in the dialect of the rabbitmqadmin that this broker comes with. */

const PAGE = readFileSync(new URL('../../docs/messages.md', import.meta.url), 'utf8');
const program = findProgram('rabbitmqadmin');
const skip = program === undefined || !existsSync(program) ? 'needs rabbitmqadmin' : false;

/** The commands of the page that begin with `rabbitmqadmin`, without options or with them. */
function commands(isV2: boolean): string[] {
  const [, section = ''] = PAGE.split('## From the shell: rabbitmqadmin');
  const blocks = [...section.matchAll(/^```sh\n(.*?)^```/gms)].map(([, block]) => block!);
  const block = blocks[isV2 ? 1 : 0]!;
  return block
    .replaceAll('\\\n', '')
    .split('\n')
    .filter((line) => line.startsWith('rabbitmqadmin '));
}

t.test('watches and commands a job', { skip }, async (t) => {
  const [port] = await freePorts(1);
  const broker = await privateBroker(t, {
    ports: [port!],
    plugins: ['rabbitmq_management'],
    conf: `management.tcp.port = ${port}\nmanagement.tcp.ip = 127.0.0.1`,
  });
  const home = temporaryFolder(t);
  // As README tells them apart: v2 knows no --version.
  const help = spawnSync(program!, ['--help'], { encoding: 'utf8' }).stdout;
  const isV2 = help.startsWith('RabbitMQ CLI that uses the HTTP API');
  const given = isV2 ? `--host 127.0.0.1 --port ${port}` : `--host=127.0.0.1 --port=${port}`;
  t.comment(`rabbitmqadmin ${isV2 ? 'v2' : 'v1'}`);
  const run = (line: string) => {
    const shell = `rabbitmqadmin() { command rabbitmqadmin ${given} "$@"; }; ${line}`;
    const env = { PATH: process.env['PATH'], HOME: home, LANG: 'C.UTF-8' };
    const { status, stdout, stderr } = spawnSync('bash', ['-c', shell], { encoding: 'utf8', env, timeout: 60_000 });
    t.equal(status, 0, `${line}: ${stdout}${stderr}`);
    return stdout;
  };
  const { channel } = await foreignClient(t, broker.uri);
  const job = await collect(channel, 'amq.topic', 'proc_box.remote_control.job.1234');

  const lines = commands(isV2);
  t.equal(lines.length, 5);
  for (const line of lines.filter((line) => line.includes(' declare '))) run(line);
  channel.publish('amq.topic', 'proc_box.stats.node1', Buffer.from('{"Sample": 1}'));
  channel.publish('amq.topic', 'proc_box.events.node1', Buffer.from('{"event": "exited"}'));
  await channel.waitForConfirms();
  const got = run(lines.find((line) => / get /.test(line))!);
  t.match(got, /Sample.*exited/s, 'a sample and an event');
  run(lines.find((line) => / publish /.test(line))!);
  const [{ content, properties } = {}] = await job.count(1);
  t.strictSame(JSON.parse(String(content)), { command: 'suspend' });
  t.match(properties, { messageId: 'suspend-1', replyTo: 'watch' });
});
