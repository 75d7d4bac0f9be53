import t, { type Test } from 'tap';
import { THROUGH_AGENT } from '../fixtures/agent.js';
import { sharedBroker, unique } from '../fixtures/broker.js';
import { connectOperator, type Json, type OperatedJob, untilAnswered } from '../fixtures/operated-job.js';
import { schemaErrors } from '../fixtures/schemas.js';

/** How a command finds its boxes (contract 6), and what becomes of messages that are no good (contract 5). */

const operator = await connectOperator(t, await sharedBroker(t));

interface Identity {
  readonly host: string;
  readonly job: string;
  readonly user: string;
  readonly box: string;
  readonly step: string | null;
  readonly task: string | null;
}

const SLURM = {
  SLURM_JOB_ID: '4711',
  SLURM_ARRAY_JOB_ID: '4700',
  SLURM_ARRAY_TASK_ID: '7',
  SLURM_STEP_ID: '2',
  SLURM_PROCID: '3',
};

async function start(
  t: Test,
  options: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<OperatedJob & { identity: Identity }> {
  const job = await operator.start(t, ['sleep', '1000'], { options, env });
  await job.bound();
  return { ...job, identity: (await job.ask('ping')).result.identity };
}

/** A segment of a routing key as a foreign client would make it from the documentation. */
const segment = (text: string) => text.replaceAll(/[.*#\s]/g, '_');

function addresses({ host, job, user, box }: Identity): string[] {
  return [
    '',
    `.host.${segment(host)}`,
    `.job.${segment(job)}`,
    `.user.${segment(user)}`,
    `.user.${segment(user)}.job.${segment(job)}`,
    `.box.${box}`,
  ];
}

t.test('a box is reached under each of its keys', async (t) => {
  const { key, identity } = await start(t, [], SLURM);
  t.match(identity, { job: '4700_7', step: '2', task: '3' });
  for (const suffix of addresses(identity)) {
    t.match(
      (await operator.send(key + suffix, { command: 'ping' })).body,
      { ok: true, box: identity.box },
      `K${suffix}`,
    );
  }
});

t.test('a box is not reached under the keys of others', async (t) => {
  const { key, identity } = await start(t, [], SLURM);
  const other: Identity = { ...identity, host: 'elsewhere', job: '4700', user: 'mallory', box: 'another' };
  for (const suffix of [
    ...addresses(other).slice(1),
    '.host',
    '.job.4711',
    '.job.4700_7.x',
    '.boo',
    `.user.${identity.user}.job.1`,
  ]) {
    await t.rejects(operator.send(key + suffix, { command: 'ping' }), /unroutable/, `K${suffix}`);
  }
});

t.test('each of several routing keys works with all its addresses', async (t) => {
  const [first, second] = [unique('k'), unique('k')];
  const job = await operator.start(t, ['sleep', '1000'], {
    options: ['-multiRmtKey', '-rkey', `${first}.a, ${second}`],
  });
  const reached = { ...job, key: `${first}.a` };
  await untilBound(reached.key);
  const { identity } = (await operator.send(reached.key, { command: 'ping' })).body.result;
  for (const key of [`${first}.a`, second]) {
    for (const suffix of addresses(identity)) {
      t.equal((await operator.send(key + suffix, { command: 'ping' })).body.ok, true, `${key}${suffix}`);
    }
  }
  await t.rejects(operator.send(`${first}.a, ${second}`, { command: 'ping' }), /unroutable/);
});

t.test('without multiRmtKey a comma is part of the key', async (t) => {
  const key = `${unique('k')},b`;
  await operator.start(t, ['sleep', '1000'], { options: ['-rkey', key] });
  await untilBound(key);
  await t.rejects(operator.send(key.replace(',b', ''), { command: 'ping' }), /unroutable/);
});

t.test('a target narrows the addressees, and who is not meant keeps silent', async (t) => {
  const shared = unique('shared');
  const boxes = [];
  for (const task of ['0', '1', '2']) {
    const job = await operator.start(t, ['sleep', '1000'], {
      options: ['-multiRmtKey', '-rkey', `${shared}.${task},${shared}`],
      env: { ...SLURM, SLURM_PROCID: task },
    });
    await untilBound(`${shared}.${task}`);
    boxes.push({ job, ...(await operator.send(`${shared}.${task}`, { command: 'ping' })).body });
  }
  const answers = await collectAnswers(t, shared, {
    command: 'suspend',
    target: { task: '1', step: '2', job: '4700_7' },
  });
  const [, second] = boxes;
  // A later question to everyone: what was to be answered has been answered before it.
  const everyone = await answers.to({ command: 'status' }, 4);
  t.strictSame(
    everyone.filter(({ command }) => command === 'suspend').map(({ box }) => box),
    [second!.box],
  );
  const states = everyone
    .filter(({ command }) => command === 'status')
    .map(({ box, result }) => [box === second!.box, result.state]);
  t.strictSame(
    states.filter(([meant]) => meant),
    [[true, 'suspended']],
  );
  t.strictSame(
    states.filter(([meant]) => !meant),
    [
      [false, 'running'],
      [false, 'running'],
    ],
  );
  t.ok(everyone.filter(({ command }) => command === 'status').every(({ result }) => result.refused_commands === 0));
  t.equal(
    (await operator.send(shared, { command: 'ping', target: { task: 1 } })).body.box,
    second!.box,
    'numbers are taken as their text',
  );
  t.equal((await operator.send(shared, { command: 'ping', target: { box: boxes[2]!.box } })).body.box, boxes[2]!.box);
  t.equal((await operator.send(shared, { COMMAND: 'ping', Target: { BOX: boxes[0]!.box } })).body.box, boxes[0]!.box);
});

t.test('the same message id is carried out once and answered twice', async (t) => {
  const job = await start(t, ['-sint', '0']);
  const first = await job.ask('sample', [], { messageId: 'twice' });
  const second = await job.ask('sample', [], { messageId: 'twice' });
  t.strictSame(second, first);
  const third = await job.ask('sample', [], { messageId: 'another' });
  t.not(third.result.message_id, first.result.message_id);
  await job.sample(({ Sequence }) => Sequence === third.result.sample.Sequence);
  t.equal(job.received.filter(({ body }) => body.Cause === 'request').length, 2);
  t.equal(
    job.received.filter(({ body }) => body.by?.message_id === 'twice').length,
    1,
    'and is in the audit trail once',
  );
});

t.test('the same message id three times at once is carried out once and answered three times', async (t) => {
  const job = await start(t, ['-sint', '0']);
  const answers = await Promise.all([1, 2, 3].map(() => job.ask('sample', [], { messageId: 'thrice' })));
  t.equal(new Set(answers.map(({ result }) => result.message_id)).size, 1);
  t.equal(answers.length, 3);
});

t.test('accepts a trailing comma, keys in any case, no arguments, and any content type', async (t) => {
  const job = await start(t);
  for (const body of [
    '{"command": "ping",}',
    '{"command": "ping", "arguments": [],}',
    '{"Command": "ping"}',
    '{"COMMAND": "ping", "ARGUMENTS": []}',
    '{"command": "ping", "arguments": null}',
    ' \n{ "command" : "ping" }\n ',
  ]) {
    t.match((await operator.send(job.key, body)).body, { ok: true, command: 'ping' }, body);
  }
  const trailing = await operator.send(job.key, '{"command": "change_sample_rate", "arguments": ["1h30m",],}');
  t.match(trailing.body, { ok: true, result: { interval_ms: 5_400_000 } });
  for (const contentType of [
    'text/javascript',
    'application/json; charset=utf-8',
    'application/octet-stream',
    undefined,
  ]) {
    const { body } = await operator.send(
      job.key,
      { command: 'ping' },
      contentType === undefined ? {} : { contentType },
    );
    t.equal(body.ok, true, String(contentType));
  }
});

t.test('an answer carries the correlation id, or else the message id, and says what it is', async (t) => {
  const job = await start(t);
  const { properties } = await operator.send(job.key, { command: 'ping' }, { messageId: 'm1' });
  t.match(properties, { contentType: 'application/json', type: 'proc_box.answer', appId: 'proc_box' });
  const { queue } = await operator.channel.assertQueue('', { exclusive: true });
  const answer = new Promise<Json>((resolve) => {
    void operator.channel.consume(queue, resolve, { noAck: true });
  });
  operator.channel.publish('amq.topic', job.key, Buffer.from('{"command":"ping"}'), {
    messageId: 'm2',
    replyTo: queue,
  });
  t.equal((await answer).properties.correlationId, 'm2');
});

t.test('what is no command is refused with its reason, counted and logged once, and disturbs nothing', async (t) => {
  const job = await start(t);
  const hostile: [string | Buffer, string, RegExp][] = [
    ['boo', 'not_json', /is not JSON/],
    ['', 'not_json', /is not JSON/],
    ['{"command": "ping"', 'not_json', /is not JSON/],
    ['{"command": "ping",,}', 'not_json', /is not JSON/],
    [Buffer.from([0xff, 0xfe, 0x00]), 'not_json', /UTF-8/],
    ['[]', 'bad_message', /not a JSON object/],
    ['null', 'bad_message', /not a JSON object/],
    ['"kill"', 'bad_message', /not a JSON object/],
    ['{}', 'bad_message', /no "command"/],
    ['{"command": 9}', 'bad_message', /not a string/],
    ['{"command": "kill", "args": ["TERM"]}', 'bad_message', /unknown key "args"/],
    ['{"command": "kill", "arguments": "TERM"}', 'bad_message', /not an array/],
    ['{"command": "kill", "arguments": [["TERM"]]}', 'bad_message', /neither a string nor a number/],
    ['{"command": "kill", "COMMAND": "ping"}', 'bad_message', /twice/],
    ['{"command": "kill", "target": "me"}', 'bad_message', /"target" is not/],
    ['{"command": "kill", "target": {"hosts": "x"}}', 'bad_message', /did you mean "host"/],
    ['{"command": "KILL"}', 'unknown_command', /did you mean "kill"/],
    ['{"command": "constructor"}', 'unknown_command', /unknown command/],
    [`{"command": "kill", "arguments": ["${'x'.repeat(70_000)}"]}`, 'too_large', /at most 65536/],
  ];
  for (const [body, code, message] of hostile) {
    const answer = (await operator.send(job.key, body)).body;
    t.strictSame(schemaErrors('answer', answer), []);
    t.match(answer, { ok: false, error: { code, message } }, String(body).slice(0, 50));
  }
  const { refused_commands, state } = (await job.ask('status')).result;
  t.strictSame({ refused_commands, state }, { refused_commands: hostile.length, state: 'running' });
  await job.event('command', ({ command }) => command === 'status');
  const audited = job.received.filter(({ body }) => body.event === 'command' && !body.answer.ok);
  t.equal(audited.length, hostile.length, 'each is in the audit trail');
  for (const { body } of audited) t.strictSame(schemaErrors('event', body), []);
  if (THROUGH_AGENT) return; // its own log has them
  for (const words of ['is not JSON in UTF-8', 'unknown command "KILL"', 'at most 65536 are accepted']) {
    await job.logged(words);
    t.equal(job.stderr().split(words).length - 1, 1, `"${words}" is logged once`);
  }
});

t.test('a body of 64 KiB is read, one byte more is refused', async (t) => {
  const job = await start(t);
  const padded = (bytes: number) => '{"command":"ping"}'.padEnd(bytes, ' ');
  t.equal((await operator.send(job.key, padded(65_536))).body.ok, true);
  t.equal((await operator.send(job.key, padded(65_537))).body.error.code, 'too_large');
});

t.test('an expired command is refused, also where no broker looked at its expiration', async (t) => {
  const job = await start(t);
  const now = Math.floor(Date.now() / 1000);
  const { body } = await operator.send(job.key, { command: 'kill' }, { timestamp: now - 3600, expiration: '60000' });
  t.match(body, { ok: false, error: { code: 'expired' } });
  const fresh = await operator.send(job.key, { command: 'ping' }, { timestamp: now, expiration: '60000' });
  t.equal(fresh.body.ok, true);
});

t.test('headers that would rewrite the routing of a message are refused', async (t) => {
  const job = await start(t);
  const headers = { rascal: { restoreRoutingHeaders: true, originalRoutingKey: 'x', originalExchange: 'y' } };
  t.equal((await operator.send(job.key, { command: 'kill' }, { headers })).body.error.code, 'forged');
  t.equal((await job.ask('ping')).ok, true);
});

t.test('a refused message without reply_to is acknowledged and leaves the next command working', async (t) => {
  const job = await start(t);
  for (let n = 0; n < 50; n++) operator.channel.publish('amq.topic', job.key, Buffer.from('boo'));
  t.equal((await job.ask('status')).result.refused_commands, 50);
});

async function untilBound(key: string): Promise<void> {
  await untilAnswered(() => operator.send(key, { command: 'ping' }));
}

/** Sends a command to many boxes; `to` sends one more and waits until there are so many answers to both. */
async function collectAnswers(t: Test, key: string, command: object) {
  const { channel } = operator;
  const { queue, consumerTag } = await channel.assertQueue('', { exclusive: true }).then(async ({ queue }) => ({
    queue,
    ...(await channel.consume(queue, (message) => add(message), { noAck: true })),
  }));
  t.teardown(() => channel.cancel(consumerTag));
  const answers: Json[] = [];
  let enough = () => {};
  function add(message: Json) {
    answers.push(JSON.parse(message.content));
    enough();
  }
  const publish = (body: object) =>
    channel.publish('amq.topic', key, Buffer.from(JSON.stringify(body)), { replyTo: queue });
  publish(command);
  return {
    to: async (next: object, count: number): Promise<Json[]> => {
      publish(next);
      await new Promise<void>((resolve) => {
        enough = () => {
          if (answers.length >= count) resolve();
        };
        enough();
      });
      return answers;
    },
  };
}
