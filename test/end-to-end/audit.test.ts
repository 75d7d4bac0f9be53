import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { needsOwnLink } from '../fixtures/agent.js';
import { sharedBroker, until } from '../fixtures/broker.js';
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

const mountPoint = join(dir, 'disk');
mkdirSync(mountPoint);
const mounted =
  spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k,mode=700', 'proc_box-test', mountPoint]).status === 0;
t.teardown(() => mounted && execFileSync('umount', ['-l', mountPoint]));

t.test(
  'a full disk costs lines, and nothing else',
  { skip: needsOwnLink || (!mounted && 'needs the privilege to mount a tmpfs') },
  async (t) => {
    const path = join(mountPoint, 'audit.jsonl');
    const job = await operator.start(t, ['sh', '-c', 'echo out; exec sleep 1000'], { options: ['--audit-log', path] });
    await job.bound();
    let asked = 0;
    while (!job.stderr().includes('lines are lost')) {
      t.match(await job.ask('ping', [], { messageId: `m${asked++}` }), { ok: true });
    }
    t.match(job.stderr(), /warn: audit log \S+: (the disk is full|ENOSPC); the job continues, but lines are lost/);
    t.ok(asked > 50, `${asked} commands`);
    for (let n = 0; n < 20; n++) t.match(await job.ask('ping'), { ok: true }, 'commands are answered as before');
    const full = readFileSync(path, 'utf8');
    truncateSync(path, full.lastIndexOf('\n', full.length / 2) + 1);
    t.match(await job.ask('ping', [], { messageId: 'room again' }), { ok: true });
    await until(() => readFileSync(path, 'utf8').includes('room again'), 'the next line is there');
    const lines = readFileSync(path, 'utf8').split('\n').filter(Boolean);
    for (const line of lines) t.match(JSON.parse(line), { command: 'ping', outcome: 'ok' }, 'whole');
    t.match(await job.ask('kill', ['TERM']), { ok: true });
    t.equal((await job.ended).code, 143);
    t.equal(job.stdout(), 'out\n');
    t.match(job.stderr(), /audit log \S+: \d+ lines were lost/);
  },
);

t.test(
  '~/ in the name of the audit log is the home of the user, and the file is there from the start',
  { skip: needsOwnLink },
  async (t) => {
    const job = await operator.start(t, ['sh', '-c', 'exec sleep 1000'], {
      options: ['--audit-log=~/own.jsonl'],
      env: { HOME: dir },
    });
    await job.bound();
    await until(() => existsSync(join(dir, 'own.jsonl')), 'the file');
    t.match(await job.ask('kill', ['TERM']), { ok: true });
    await job.ended;
    const last = readFileSync(join(dir, 'own.jsonl'), 'utf8').trim().split('\n').at(-1)!;
    t.match(JSON.parse(last), { command: 'kill' });
  },
);

t.test(
  'an audit log that cannot be written is a warning, and the job is what it was',
  { skip: needsOwnLink },
  async (t) => {
    const job = await operator.start(t, ['sh', '-c', 'echo out; exec sleep 1000'], {
      options: ['--audit-log', join(dir, 'none', 'audit')],
    });
    await job.bound();
    await job.logged('ENOENT: its folder does not exist; the job continues, but lines are lost');
    t.match(job.stderr(), /audit log/, 'before the first command');
    t.match(await job.ask('ping'), { ok: true });
    t.match(await job.ask('kill', ['TERM']), { ok: true });
    t.equal((await job.ended).code, 143);
    t.equal(job.stdout(), 'out\n');
  },
);
