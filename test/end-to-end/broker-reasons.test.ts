// test-timeout: 240s
import t from 'tap';
import { sharedBroker, until } from '../fixtures/broker.js';
import { connectOperator, type OperatedJob } from '../fixtures/operated-job.js';

/** What ended a job, and which commands count: the first cause, each message once, all of it before `exited`. */

const operator = await connectOperator(t, await sharedBroker(t));

/** Exits with 5 and leaves somebody who takes his time to go. */
const LEAVES =
  '(trap "sleep 2; exit 0" TERM QUIT; echo left; while :; do sleep 0.1; done) & ' +
  'while read -r line; do [ "$line" = go ] && exit 5; done; exit 5';

/** Everything that a job publishes, as soon as its queue has it. */
const events = (job: OperatedJob) => job.received.filter(({ kind }) => kind === 'event').map(({ body }) => body);

for (const [what, end] of [
  ['SIGTERM', (job: OperatedJob) => job.child.kill('SIGTERM')],
  ['the command kill', (job: OperatedJob) => job.ask('kill')],
] as const)
  t.test(`a main process that has exited with 5 before ${what} is "exited" with 5`, async (t) => {
    const job = await operator.start(t, ['sh', '-c', LEAVES], { options: ['-grace', '20s', '-flush', '5s'] });
    await job.bound();
    await job.printed('left');
    // Its stdin is at its end: the main process goes by itself.
    await until(() => job.processes().length < 3, 'the main process has gone').catch(() => {});
    await end(job);
    t.match(await job.event('exited'), { reason: 'exited', code: 5, exit_status: 5, by: null });
    t.match(await job.ended, { code: 5 });
  });

t.test(
  'a message id that was used for one command is refused for another, and answered again for the same',
  async (t) => {
    const job = await operator.start(t, ['sleep', '1000'], {});
    await job.bound();
    const id = { messageId: 'once' };
    t.match(await job.ask('timer_stop', [], id), { ok: true });
    t.match(await job.ask('timer_resume', [], id), {
      ok: false,
      error: { code: 'bad_message', message: /message id "once"/ },
    });
    t.match(await job.ask('set_limit', ['timeout', '1h'], id), { ok: false, error: { code: 'bad_message' } });
    t.match(await job.ask('timer_stop', [], id), { ok: true }, 'the same once more');
    t.match((await job.ask('status')).result, { timer: { running: false } }, 'nothing else was carried out');
    t.match(await job.ask('set_limit', ['timeout', '1h'], { messageId: 'other' }), { ok: true });
    t.match(await job.ask('set_limit', ['timeout', '2h'], { messageId: 'other' }), { ok: false }, 'arguments count');
    await job.ask('kill');
    await job.ended;
  },
);

t.test('a key that is there twice is refused, however it is written', async (t) => {
  const job = await operator.start(t, ['sleep', '1000'], {});
  await job.bound();
  for (const body of [
    '{"command":"ping","command":"kill"}',
    '{"command":"kill","Command":"ping"}',
    '{"command":"ping","COMMAND":"kill",}',
    '{"command":"ping","comm\\u0061nd":"kill"}',
    '{"command":"kill","arguments":["0"],"arguments":["9"]}',
    '{"command":"kill","target":{"user":"nobody"},"target":{}}',
    '{"command":"kill","target":{"user":"nobody","User":"nobody"}}',
    '{"command":"kill","target":{"user":"nobody","user":"nobody",},}',
  ]) {
    const { body: answer } = await operator.send(job.key, body);
    t.match(answer, { ok: false, error: { code: 'bad_message', message: /twice/ } }, body);
  }
  const apart = '{"command":"kill","arguments":["no\\"command\\":signal"],"target":{}}';
  t.match((await operator.send(job.key, apart)).body, { ok: false, error: { code: 'bad_arguments' } });
  await job.ask('kill');
  await job.ended;
});

t.test('a CPU limit that set_limit has set is the reason when it ends the job', async (t) => {
  const job = await operator.start(t, ['sh', '-c', 'echo on; while :; do :; done'], {});
  await job.bound();
  await job.printed('on');
  t.match(await job.ask('set_limit', ['cpu', '1:5']), { ok: true });
  t.match(await job.event('exited'), { reason: 'cpu', signal: 'SIGXCPU', by: { via: 'limit' } });
  await job.ended;
});

t.test('every command event comes before exited, and refused ones count in it', async (t) => {
  const job = await operator.start(t, ['sleep', '1000'], {});
  await job.bound();
  const asked = [];
  for (let n = 0; n < 100; n++)
    asked.push(operator.send(job.key, { command: n === 50 ? 'kill' : 'nonsense' }).catch(() => {}));
  await job.ended;
  await Promise.race([Promise.all(asked), job.event('exited')]);
  const all = events(job);
  t.equal(all.at(-1).event, 'exited');
  const refused = all.filter(({ event, answer }) => event === 'command' && answer.ok === false).length;
  t.equal(all.at(-1).refused_commands, refused);
  t.ok(all.some(({ event, command, answer }) => event === 'command' && command === 'kill' && answer.ok));
});
