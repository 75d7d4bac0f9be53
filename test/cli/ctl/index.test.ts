import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { sharedBroker, unique } from '../../fixtures/broker.js';
import { answerOf, fakeBoxes } from '../../fixtures/ctl.js';
import { connectOperator, executable, type Json, type OperatedJob } from '../../fixtures/operated-job.js';
import { tcpProxy } from '../../fixtures/tcp-proxy.js';

/** `proc_box ctl` against real boxes, and against a foreign client that plays a box. */

const uri = await sharedBroker(t);
const operator = await connectOperator(t, uri);
const folder = mkdtempSync(join(tmpdir(), 'proc_box-ctl-'));
t.teardown(() => rmSync(folder, { recursive: true }));

interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly tookMs: number;
}

function proc_box(args: readonly string[], env: Record<string, string> = {}): Promise<Run> {
  return new Promise((resolve) => {
    const startedMs = performance.now();
    const child = spawn(executable, args, {
      cwd: folder,
      env: { PATH: `${folder}:${process.env['PATH']}`, PBOX_CONFIG: 'none', PBOX_URI: uri, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.on('close', (code) => resolve({ code, stdout, stderr, tookMs: performance.now() - startedMs }));
  });
}

const ctl = (key: string, ...args: string[]) => proc_box(['ctl', '--rkey', key, ...args]);

const SLURM = { SLURM_JOB_ID: '4711', SLURM_STEP_ID: '2', SLURM_PROCID: '3' };

async function start(t: Test, options: readonly string[] = []): Promise<OperatedJob & { identity: Json }> {
  const job = await operator.start(t, ['sleep', '1000'], { options, env: SLURM });
  await job.bound();
  return { ...job, identity: (await job.ask('ping')).result.identity };
}

t.test('carries out commands and prints a line for each answer', async (t) => {
  const job = await start(t);
  const { host, box } = job.identity;
  const one = (...args: string[]) => ctl(job.key, '--box', box, ...args);

  // The first sample can meet the job in the middle of its exec(2), when it has no memory.
  await job.ask('sample');
  const pinged = await one('ping');
  t.match(pinged, { code: 0, stderr: '' });
  t.match(pinged.stdout, new RegExp(`^USER .*\n\\w+ +4711 +2\\.3 +${host} +running +[\\d.]+ [KM]iB +${box}\n$`));
  t.match(await one('suspend'), { code: 0, stdout: /suspend ok processes=1\n$/ });
  t.strictSame(
    job.processes().map(({ state }) => state),
    ['frozen'],
  );
  t.match(await one('resume'), { code: 0, stdout: /resume ok processes=1\n$/ });
  t.match(await one('set_limit', 'nofile', '100:200'), {
    code: 0,
    stdout: /set_limit ok limit=nofile, value=100, hard=200, enforcement=rlimit, source=command, processes=1\n$/,
  });
  t.strictSame(job.processes()[0]!.limit('Max open files'), { soft: '100', hard: '200' });
  t.match(await one('status'), {
    code: 0,
    stdout:
      /status ok state=running, .*elapsed=[\d.]+ m?s, .*nofile=100:200 \(rlimit\), .*rss=[\d.]+ [KM]iB, processes=1, stdout=0 B/,
  });
  t.match(await one('sample'), { code: 0, stdout: new RegExp(`sample ok message_id=${box}-\\d+, cpu_percent=`) });
  t.match(await one('kill', '-9'), { code: 0, stdout: /kill ok signal=KILL, processes=1\n$/ });
  t.strictSame(await job.ended, { code: 137, signal: null });
  t.match(await job.event('exited'), { by: { via: 'amqp', message_id: /^ctl-[0-9a-f]{16}$/, user: 'guest' } });
});

t.test('addresses boxes by job, host, user, step and task', async (t) => {
  const job = await start(t);
  const { host, user, box } = job.identity;
  for (const args of [
    ['--job', '4711'],
    ['--host', host],
    ['--user', user],
    ['--box', box],
    ['--user', user, '--job', '4711'],
    ['--job=4711', `--host=${host}`, `-user=${user}`],
    ['--job', '4711', '--step', '2', '--task', '3'],
    ['--all'],
    ['--all', '--task', '3'],
  ]) {
    t.match(await ctl(job.key, ...args, '--answers', '1', 'ping'), { code: 0, stdout: / running / }, args.join(' '));
  }
  for (const args of [
    ['--job', '4711', '--task', '4'],
    ['--job', '4711', '--host', 'elsewhere'],
    ['--job', '4711', '--box', 'other'],
  ]) {
    const run = await ctl(job.key, ...args, '--wait', '100ms', 'kill');
    t.match(run, { code: 2, stdout: '' }, args.join(' '));
  }
  t.equal((await job.ask('status')).result.state, 'running');
});

t.test('several boxes answer, and --answers ends the wait for them', async (t) => {
  const key = unique('shared');
  const jobs = await Promise.all(
    [0, 1, 2].map((task) =>
      operator.start(t, ['sleep', '1000'], {
        options: ['-multiRmtKey', '-rkey', `${key}.${task},${key}`],
        env: { ...SLURM, SLURM_PROCID: `${task}` },
      }),
    ),
  );
  const all = await ctl(key, '--job', '4711', '--answers', '3', '--wait', '20s', '--resend', '50ms', 'ping');
  t.equal(all.code, 0, all.stderr);
  t.equal(all.stdout.trim().split('\n').length, 1 + 3, 'a box that was asked again counts once');
  t.ok(all.tookMs < 15_000);
  const some = await ctl(key, '--job', '4711', '--answers', '4', '--wait', '200ms', 'ping');
  t.equal(some.code, 2);
  t.equal(some.stdout.trim().split('\n').length, 1 + 3);
  t.match(some.stderr, /error: 3 of 4 answers within 200 ms/);
  const json = await ctl(key, '--all', '--wait', '300ms', '--json', 'status');
  t.equal(json.code, 0);
  const answers = json.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.strictSame(answers.map(({ result }) => result.identity.task).toSorted(), ['0', '1', '2']);
  t.equal(jobs.length, 3);
});

t.test('ping prints a table that is sorted as people count, its columns aligned', async (t) => {
  const of = (user: string, job: string, task: string | null, memory: number | null, state = 'running') =>
    answerOf(`box-${job}-${task}`, {
      host: 'node1',
      job,
      result: { identity: { user, step: task === null ? null : '0', task }, state, memory_bytes: memory },
    });
  const { key } = await fakeBoxes(t, operator.channel, () => [
    of('bob', '7', null, 1_234_567_890),
    of('alice', '100', '10', 0, 'suspended'),
    of('alice', '100', '9', 1024 * 1024 * 1.5),
    of('alice', '20', null, null),
  ]);
  const run = await ctl(key, '--all', '--answers', '4', 'ping');
  t.equal(
    run.stdout,
    `USER   JOB  TASK  HOST   STATE       MEMORY  BOX
alice  20   -     node1  running          -  box-20-null
alice  100  0.9   node1  running    1.5 MiB  box-100-9
alice  100  0.10  node1  suspended      0 B  box-100-10
bob    7    -     node1  running    1.1 GiB  box-7-null
`,
  );
  t.equal((await ctl(key, '--all', '--answers', '4', '--json', 'ping')).stdout.split('\n').length, 5);
});

t.test('refuses to address every box of the exchange unless --all says so', async (t) => {
  const job = await start(t);
  for (const args of [['kill'], ['--step', '2', 'kill'], ['--all=false', 'kill']]) {
    t.match(await ctl(job.key, ...args), {
      code: 125,
      stdout: '',
      stderr: /would go to every box.* --all if you mean every box/,
    });
  }
  t.equal((await job.ask('ping')).result.state, 'running');
  t.match(await ctl(job.key, '--all', '--answers', '1', 'kill'), { code: 0 });
  await job.ended;
});

t.test('no box that listens is an error at once', async (t) => {
  const run = await ctl(unique('nobody'), '--job', '4711', '--wait', '20s', 'kill');
  t.match(run, {
    code: 2,
    stdout: '',
    stderr:
      /^proc_box: error: no box listens on "nobody-\w+\.job\.4711" of exchange "amq\.topic": nothing was sent; is the address right \(4711_7 for a task of an array\), and is the job still running\?$/m,
  });
  t.ok(run.tookMs < 10_000);
  const missing = await ctl('k', '--exchange', unique('nowhere'), '--all', 'ping');
  t.match(missing, { code: 2, stderr: /no box listens on "k" of exchange "nowhere-/ });
});

t.test('what a box refuses is told with its reason, exit status 1', async (t) => {
  const job = await start(t);
  const run = await ctl(job.key, '--job', '4711', '--answers', '1', 'set_limit', 'nofiles', '5');
  t.match(run, {
    code: 1,
    stderr: '',
    stdout: /set_limit refused: bad_arguments: "nofiles" is not a limit.*did you mean "nofile"\?\n$/,
  });
});

t.test('no answer is exit status 2, and names the id under which to ask again', async (t) => {
  const { key, messages } = await fakeBoxes(t, operator.channel, () => []);
  const run = await ctl(key, '--box', 'b', '--wait', '100ms', 'kill');
  t.match(run, { code: 2, stdout: '' });
  const { messageId } = messages[0]!.properties;
  t.match(
    run.stderr,
    `no answer within 100 ms; the command may have been carried out: repeat it with --id ${messageId}`,
  );
  await ctl(key, '--box', 'b', '--wait', '100ms', '--id', messageId, 'kill');
  t.equal(messages[1]!.properties.messageId, messageId);
});

t.test('the same --id is carried out once by a box and answered again', async (t) => {
  const job = await start(t, ['-sint', '0']);
  const ask = () => ctl(job.key, '--box', job.identity.box, '--id', 'mine', 'sample');
  const first = await ask();
  const second = await ask();
  t.match(first, { code: 0 });
  t.equal(second.stdout, first.stdout);
  // Answers and statistics come over two connections: the last sample may follow its answer.
  const { result } = await job.ask('sample');
  await job.message(({ message }) => message.properties.messageId === result.message_id);
  t.equal(job.received.filter(({ body }) => body.Cause === 'request').length, 2);
});

t.test('--resend reaches a box that begins to listen later', async (t) => {
  const key = unique('later');
  const run = ctl(key, '--all', '--answers', '1', '--wait', '30s', '--resend', '20ms', 'ping');
  await operator.start(t, ['sleep', '1000'], { options: ['-rkey', key] });
  t.match(await run, { code: 0, stdout: / running / });
});

t.test('--wait 0 sends the command and asks for no answer', async (t) => {
  const job = await start(t);
  t.match(await ctl(job.key, '--box', job.identity.box, '--wait', '0', 'kill'), { code: 0, stdout: '', stderr: '' });
  t.strictSame(await job.ended, { code: 137, signal: null });
  t.match(await ctl(job.key, '--box', job.identity.box, '--wait', '0', 'kill'), { code: 2, stderr: /no box listens/ });
});

t.test('answers are not trusted: foreign text cannot drive the terminal, and what is no answer is none', async (t) => {
  const { key } = await fakeBoxes(t, operator.channel, () => [
    'boo',
    '[]',
    '{"ok": "yes"}',
    answerOf('b\u001b[2J', { result: { identity: { user: 'a\nb\u0007' }, state: ['x'], memory_bytes: '9' } }),
    { ok: false, box: 'c', host: 'h', job: 'j', command: 'ping', error: { code: 'x\r', message: '\u009b1m' } },
  ]);
  const run = await ctl(key, '--all', '--answers', '2', 'ping');
  t.strictSame(
    [run.code, run.stdout],
    [
      1,
      'h job j box c: ping refused: x\\r: \\u009b1m\n' +
        'USER        JOB  TASK  HOST  STATE  MEMORY  BOX\n' +
        'a\\nb\\u0007  j    -     h     x           -  b\\u001b[2J\n',
    ],
  );
  const { key: other } = await fakeBoxes(t, operator.channel, () => [
    answerOf('b\u001b[2J', { command: 'x', result: { text: 'a\nb\u0007' } }),
  ]);
  t.equal((await ctl(other, '--box', 'b', 'sample')).stdout, 'h job j box b\\u001b[2J: x ok text=a\\nb\\u0007\n');
});

t.test('broker, exchange and key come from the same places as a box has them from', async (t) => {
  const exchange = unique('exchange');
  await operator.channel.assertExchange(exchange, 'topic', { durable: false });
  const job = await operator.start(t, ['sleep', '1000'], { exchange });
  await job.bound();
  const uriFile = join(folder, 'uri');
  writeFileSync(uriFile, `${uri}\n`, { mode: 0o600 });
  const config = join(folder, 'config.yaml');
  writeFileSync(config, `exchange: ${exchange}\nrkey: "${job.key},other"\nmultiRmtKey: true\n`);
  const ping = ['--all', '--answers', '1', 'ping'];
  const ok = { code: 0, stderr: '', stdout: / running / };
  t.match(await proc_box(['ctl', '-config', config, ...ping]), ok, 'config file, and PBOX_URI');
  t.match(
    await proc_box(['ctl', '-uri-file', uriFile, ...ping], { PBOX_URI: '', PBOX_CONFIG: config }),
    ok,
    '--uri-file',
  );
  t.match(await proc_box(['ctl', ...ping], { PBOX_EXCHANGE: exchange, PBOX_RKEY: job.key }), ok, 'PBOX_*');
  t.match(
    await proc_box(['ctl', '--uri', uri, '--exchange', exchange, '--rkey', job.key, ...ping], { PBOX_URI: '' }),
    ok,
    'options',
  );
  chmodSync(uriFile, 0o644);
  t.match(await proc_box(['ctl', '-uri-file', uriFile, ...ping], { PBOX_URI: '' }), {
    code: 125,
    stderr: /has mode 0644/,
  });
  t.match(await proc_box(['ctl', ...ping], { PBOX_BOO: '1', PBOX_EXCHANGE: exchange, PBOX_RKEY: job.key }), {
    code: 0,
    stderr: /warn: the variable "PBOX_BOO" has no effect/,
  });
  await operator.channel.deleteExchange(exchange);
});

t.test('a broker that is not there or does not let us in is exit status 125, without the password', async (t) => {
  const proxy = await tcpProxy(t, Number(new URL(uri).port));
  await proxy.down();
  t.match(await proc_box(['ctl', '--uri', proxy.uriOf(uri), '--all', 'ping']), {
    code: 125,
    stderr: `proc_box: error: broker 127.0.0.1:${proxy.port}: connection refused: is the broker running there?\n`,
  });
  const wrong = await proc_box(['ctl', '--uri', uri.replace('guest:guest', 'guest:sesame'), '--all', 'ping']);
  t.match(wrong, { code: 125, stderr: /login of user "guest" was refused: check user and password of --uri\n$/ });
  t.notMatch(wrong.stderr, 'sesame');
  const job = await start(t);
  const failover = await proc_box([
    'ctl',
    '--uri',
    `${proxy.uriOf(uri)},${uri}`,
    '--rkey',
    job.key,
    '--all',
    '--answers',
    '1',
    'ping',
  ]);
  t.match(failover, { code: 0, stderr: '' });
});

t.test('a program that is called ctl can still be boxed', async (t) => {
  writeFileSync(join(folder, 'ctl'), '#!/bin/sh\necho "I am ctl $*"\n', { mode: 0o755 });
  for (const args of [
    ['--', 'ctl', '--all'],
    ['-uri', 'none', 'ctl', '--all'],
    ['./ctl', '--all'],
  ]) {
    t.match(await proc_box(args, { PBOX_URI: 'none' }), { code: 0, stdout: 'I am ctl --all\n' }, args.join(' '));
  }
});
