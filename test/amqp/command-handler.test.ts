import t from 'tap';
import { CommandHandler } from '../../src/amqp/command-handler.js';
import type { Admitted, Gate } from '../../src/amqp/gate.js';
import { type Delivery, parseMessage, requesterOf } from '../../src/amqp/message.js';
import type { Reply } from '../../src/amqp/replies.js';
import type { Answer, Command, Controllable, Requester } from '../../src/model/types.js';
import { jobIdentity, linesLogger } from '../fixtures/light.js';

const identity = jobIdentity({ box: 'b1', host: 'n1', job: '7' });
const open: Gate = (delivery) => ({
  outcome: parseMessage(delivery, identity, 0),
  by: requesterOf(delivery.properties),
});

interface Options {
  readonly gate?: Gate;
  readonly execute?: (command: Command) => Promise<Answer>;
}

function control({ gate = open, execute = async () => ({ ok: true, result: 'done' }) }: Options = {}) {
  const executed: Command[] = [];
  const refusals: { readonly code: string; readonly command: string; readonly args: readonly string[] | null }[] = [];
  const replies: Reply[] = [];
  const { log, lines } = linesLogger('warn');
  const box = {
    identity,
    execute: (command: Command, _by: Requester) => {
      executed.push(command);
      return execute(command);
    },
    refused: (answer: Answer, _by: Requester, command: string, args: readonly string[] | null) =>
      refusals.push({ code: answer.ok ? '' : answer.error.code, command, args }),
  } as unknown as Controllable;
  const made = new CommandHandler(box, gate, (reply) => replies.push(reply), log);
  let acknowledged = 0;
  const give = (body: object | string, properties: Delivery['properties'] = {}) => {
    const content = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
    made.handle({ content, properties }, () => acknowledged++);
  };
  const bodies = () => replies.map(({ body }) => JSON.parse(body));
  return { made, give, executed, refusals, replies, bodies, lines, acknowledged: () => acknowledged };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

t.test('a command is carried out, acknowledged at once, and answered where somebody waits', async (t) => {
  const { give, executed, replies, bodies, acknowledged } = control();
  give({ command: 'kill', arguments: ['TERM'] }, { replyTo: 'q', correlationId: 'c', messageId: 'm' });
  t.equal(acknowledged(), 1);
  t.strictSame(executed, [{ name: 'kill', signal: 15 }]);
  give({ command: 'ping' });
  give({ command: 'ping' }, { replyTo: '' });
  await turn();
  t.match(replies, [{ replyTo: 'q', correlationId: 'c', messageId: 'b1-r1' }]);
  t.strictSame(bodies(), [{ ok: true, box: 'b1', host: 'n1', job: '7', command: 'kill', result: 'done' }]);
});

t.test('an answer without a result has null, and the message id stands for a correlation id', async (t) => {
  const { give, replies, bodies } = control({ execute: async () => ({ ok: true, result: undefined }) });
  give({ command: 'ping' }, { replyTo: 'q', messageId: 'm' });
  give({ command: 'ping' }, { replyTo: 'q', correlationId: 7 });
  await turn();
  t.strictSame(replies.map(({ correlationId }) => correlationId).sort(), ['m', undefined]);
  t.match(bodies(), [{ result: null }, { result: null }]);
});

t.test('a repeated message is answered again and not carried out again', async (t) => {
  const { give, executed, bodies, refusals } = control();
  for (let n = 0; n < 2; n++) give({ command: 'suspend' }, { messageId: 'm', userId: 'alice', replyTo: 'q' });
  give({ command: 'suspend' }, { messageId: 'm', userId: 'bob' });
  await turn();
  t.equal(executed.length, 2, "another user's message is another one");
  t.equal(bodies().length, 2);
  give({ command: 'resume' }, { messageId: 'm', userId: 'alice', replyTo: 'q' });
  await turn();
  t.match(refusals, [{ code: 'bad_message', command: 'resume', args: [] }]);
  t.match(bodies()[2], {
    ok: false,
    error: { message: 'message id "m" was used for another command: give each command an id of its own' },
  });
});

t.test('what is refused is counted, told to the box, and logged once for each code', async (t) => {
  const { made, give, refusals, lines, bodies } = control();
  give('boo', { replyTo: 'q' });
  give('boo');
  give({ command: 'kil' }, { userId: 'al\nice' });
  await turn();
  t.equal(made.refused, 3);
  t.match(refusals, [
    { code: 'not_json', command: '', args: null },
    { code: 'not_json' },
    { code: 'unknown_command', command: 'kil', args: [] },
  ]);
  t.match(lines, [
    /warn: refused a message: the body is not JSON.* \(further ones with code not_json are only counted\)$/,
    /warn: refused a message of "al\\nice": unknown command "kil"; did you mean "kill"\?/,
  ]);
  t.equal(lines.length, 2);
  t.match(bodies(), [{ ok: false, error: { code: 'not_json' } }]);
});

t.test('a message for others is neither carried out nor refused', async (t) => {
  const { made, give, executed, acknowledged } = control();
  give({ command: 'kill', target: { job: 'other' } }, { replyTo: 'q' });
  await turn();
  t.strictSame([made.refused, executed.length, acknowledged()], [0, 0, 1]);
});

t.test('a box that breaks its promise costs an answer, not the job', async (t) => {
  for (const execute of [
    () => Promise.reject(new Error('bug')),
    () => {
      throw new Error('bug');
    },
  ]) {
    const { give, lines, bodies } = control({ execute });
    give({ command: 'ping' }, { replyTo: 'q' });
    await turn();
    t.match(bodies(), [
      { ok: false, error: { code: 'failed', message: /^internal error; the log of proc_box has it$/ } },
    ]);
    t.strictSame(lines, ['proc_box: error: control: a command failed: bug']);
  }
});

t.test('a gate that fails costs one message', async (t) => {
  for (const gate of [
    () => {
      throw new Error('bug');
    },
    () => Promise.reject(new Error('bug')),
  ] as const) {
    const { give, lines, acknowledged } = control({ gate });
    give({ command: 'ping' });
    await turn();
    t.equal(acknowledged(), 1);
    t.strictSame(lines, ['proc_box: error: control: bug']);
  }
});

t.test('a gate may take its time', async (t) => {
  const gate: Gate = async (delivery): Promise<Admitted> => open(delivery);
  const { give, executed } = control({ gate });
  give({ command: 'ping' });
  t.strictSame(executed, []);
  await turn();
  t.strictSame(executed, [{ name: 'ping' }]);
});

t.test('a box with enough to do leaves further commands with the broker', async (t) => {
  const waiting: ((answer: Answer) => void)[] = [];
  const { made, give, acknowledged } = control({ execute: () => new Promise((resolve) => waiting.push(resolve)) });
  for (let n = 0; n < 70; n++) give({ command: 'ping' });
  t.equal(acknowledged(), 63);
  for (let n = 0; n < 3; n++) waiting[n]!({ ok: true, result: null });
  await turn();
  t.equal(acknowledged(), 66, 'one more for each that is answered');
  made.reset();
  waiting[3]!({ ok: true, result: null });
  await turn();
  t.equal(acknowledged(), 66, 'after a new connection the old ones mean nothing');
});

t.test('a command that cannot wait is refused, and one for another box is not', async (t) => {
  const { made, refusals, bodies } = control();
  const giveUp = (body: object) =>
    made.giveUp({ content: Buffer.from(JSON.stringify(body)), properties: { replyTo: 'q' } });
  giveUp({ command: 'kill', arguments: ['TERM'] });
  giveUp({ command: 'kill', target: { box: 'another' } });
  t.strictSame(refusals, [{ code: 'not_possible', command: 'kill', args: ['TERM'] }]);
  t.match(bodies()[0], { ok: false, error: { code: 'not_possible', message: /too many commands wait/ } });
});

t.test('a flood of commands that cannot wait is counted where a gate takes its time', async (t) => {
  let asked = 0;
  const { made, refusals } = control({
    gate: async (delivery) => {
      asked++;
      return open(delivery);
    },
  });
  const delivery = { content: Buffer.from('{"command":"ping"}'), properties: {} };
  for (let n = 0; n < 200; n++) made.giveUp(delivery);
  t.equal(asked, 64);
  await turn();
  t.equal(refusals.length, 64);
  t.equal(made.refused, 200);
  made.giveUp(delivery);
  await turn();
  t.equal(refusals.length, 65);
});

t.test('a signed command that was given before is answered from memory, or refused', async (t) => {
  let repeated = false;
  const gate: Gate = (delivery) => {
    const admitted = open(delivery) as Admitted;
    return repeated
      ? { ...admitted, outcome: { ...admitted.outcome, repeated: true } as Admitted['outcome'] }
      : admitted;
  };
  const { give, executed, refusals } = control({ gate });
  give({ command: 'ping' }, { messageId: 'm' });
  repeated = true;
  give({ command: 'ping' }, { messageId: 'm' });
  give({ command: 'ping' }, { messageId: 'forgotten' });
  await turn();
  t.equal(executed.length, 1);
  t.match(refusals, [{ code: 'replayed' }]);
});
