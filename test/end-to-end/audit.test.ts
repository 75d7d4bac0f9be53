import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { sharedBroker } from '../fixtures/broker.js';
import { connectOperator } from '../fixtures/operated-job.js';
import { temporaryFolder } from '../fixtures/run.js';

/** The rules of a config file, and the trail that they leave: in the events and in the audit log. */

const operator = await connectOperator(t, await sharedBroker(t));
const dir = temporaryFolder(t);
const auditLog = join(dir, 'audit.jsonl');
const config = join(dir, 'config.yaml');
writeFileSync(
  config,
  `control-auth: user
control-rules:
  - users: ['{owner}']
    commands: [status]
  - {users: [guest], commands: [suspend, resume, ping]}
audit-log: ${auditLog}
`,
);

t.test('each command leaves the same record in the events and in the audit log', async (t) => {
  const job = await operator.start(t, ['sleep', '1000'], { options: ['--config', config] });
  await job.bound();
  const as = { userId: 'guest' };
  t.match(await job.ask('suspend', [], { ...as, messageId: 'm1' }), { ok: true });
  t.match(await job.ask('resume', [], as), { ok: true });
  t.match(await job.ask('kill', ['TERM'], { ...as, messageId: 'm2' }), { ok: false, error: { code: 'forbidden' } });
  t.match(await job.ask('kill', [9]), { ok: false, error: { code: 'forbidden', message: /user_id/ } });
  t.match(await job.ask('suspend', ['now'], as), { ok: false, error: { code: 'bad_arguments' } });
  const tried = await job.event('command', ({ by }) => by.message_id === 'm2');
  t.match(tried, { decision: 'refused', command: 'kill', arguments: ['TERM'], by: { user: 'guest' } });
  t.equal(job.processes().length, 1, 'the job goes on');
  job.child.kill('SIGTERM');
  await job.ended;
  const lines = readFileSync(auditLog, 'utf8').trimEnd().split('\n');
  const own = lines.map((line) => JSON.parse(line)).filter(({ command }) => command !== 'ping');
  t.match(own, [
    { command: 'suspend', arguments: {}, sender: { user_id: 'guest' }, message_id: 'm1', outcome: 'ok' },
    { command: 'resume', decision: 'accepted', outcome: 'ok' },
    { command: 'kill', arguments: ['TERM'], message_id: 'm2', decision: 'refused', outcome: 'forbidden' },
    { command: 'kill', arguments: ['9'], sender: {}, message_id: null, decision: 'refused', outcome: 'forbidden' },
    { command: 'suspend', arguments: ['now'], decision: 'refused', outcome: 'bad_arguments' },
  ]);
  const { identity } = tried;
  t.ok(own.every(({ box, host, job, owner }) => box === identity.box && host && job && owner === identity.user));
});

t.test('an audit log that cannot be written is a warning, and the job is what it was', async (t) => {
  const job = await operator.start(t, ['sh', '-c', 'echo out; exec sleep 1000'], {
    options: ['--audit-log', join(dir, 'none', 'audit')],
  });
  await job.bound();
  await job.logged('ENOENT; the job goes on, lines are lost');
  t.match(await job.ask('ping'), { ok: true });
  t.match(await job.ask('kill', ['TERM']), { ok: true });
  t.equal((await job.ended).code, 143);
  t.equal(job.stdout(), 'out\n');
});
