// test-timeout: 240s
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { collect, foreignClient, sharedBroker, unique } from '../fixtures/broker.js';
import { configure, NOBODY, startMom, type Task } from '../fixtures/mom.js';
import { commandLineOf, processState, until } from '../fixtures/processes.js';
import { PROC_BOX } from '../fixtures/run.js';
import { recordsOf } from '../fixtures/spool.js';
import { tcpProxy } from '../fixtures/tcp-proxy.js';

/** The hook at the end of a job: what is left of it goes, and what killed boxes have kept is delivered, as root. */

const uri = await sharedBroker(t);
const port = Number(new URL(uri).port);

t.test('strays with the id of the job are killed, others are not', async (t) => {
  const mom = startMom(t);
  const hook = configure(mom);
  const [ended, other] = await Promise.all(
    ['50.srv', '51.srv'].map((id) =>
      mom.run({ script: '#!/bin/sh\nsetsid sleep 1000 >/dev/null 2>&1 &', id, user: NOBODY }),
    ),
  );
  await Promise.all([ended!.exitStatus, other!.exitStatus]);
  const strays = (task: Task) => task.members().filter((pid) => processState(pid)?.comm === 'sleep');
  await until(() => strays(ended!).length === 1 && strays(other!).length === 1, 'both jobs have left one');
  const killed = 'proc_box: 50.srv has left 1 processes; killed';
  t.strictSame((await mom.endHook('execjob_end', '50.srv', hook)).log, [], "another user's are not of the job");
  t.equal(strays(ended!).length, 1);
  t.strictSame((await mom.endHook('execjob_epilogue', '50.srv', hook, NOBODY)).log, [killed]);
  await until(() => strays(ended!).length === 0, 'the stray has ended');
  t.strictSame((await mom.endHook('execjob_end', '50.srv', hook, NOBODY)).log, []);
  t.equal(strays(other!).length, 1);
  const failing = await mom.endHook('execjob_end', '51.srv', configure(mom, { flush: ['/nowhere/proc_box'] }), NOBODY);
  t.match(
    failing.log.join('\n'),
    /proc_box: flush_spool of 51\.srv: .*No such file or directory: '\/nowhere\/proc_box'/,
  );
  t.equal(strays(other!).length, 0, 'a step that fails leaves the others alone');
});

t.test('what MoM and a box need to end is left alone until the end of the job', async (t) => {
  const mom = startMom(t);
  const hook = configure(mom);
  const names = ['pbs_demux', 'proc_box-guard', 'other', Buffer.from('x\xff', 'latin1')] as const;
  for (const name of names) copyFileSync('/bin/sleep', Buffer.concat([Buffer.from(`${mom.home}/`), Buffer.from(name)]));
  // The last has a name that is no UTF-8.
  const script = '#!/bin/sh\nfor name in pbs* proc* other x*; do setsid ./$name 1000 >/dev/null 2>&1 & done';
  const task = await mom.run({ script, id: '52.srv', user: NOBODY });
  await task.exitStatus;
  const left = () => task.members().map((pid) => processState(pid)?.comm ?? '');
  await until(() => names.every((name) => left().includes(name.toString('latin1'))), 'all run');
  await mom.endHook('execjob_epilogue', '52.srv', hook, NOBODY);
  t.strictSame(left().sort(), ['pbs_demux', 'proc_box-guard']);
  await mom.endHook('execjob_end', '52.srv', hook, NOBODY);
  t.strictSame(left(), []);
});

/** A site whose boxes keep in a spool what the broker has not confirmed. */
async function site(t: Test) {
  const mom = startMom(t);
  const proxy = await tcpProxy(t, port);
  const spool = join(mom.home, 'spool');
  mkdirSync(spool);
  chmodSync(spool, 0o1777);
  const keys = unique('pbs');
  const places = ['--config', 'none', '--skey', `${keys}.stats`, '--ekey', `${keys}.events`, '--spool-dir', spool];
  const options = [...places, '-uri', proxy.uriOf(uri), '--sint', '20ms'];
  const hook = (more: object = {}, at = uri) =>
    configure(mom, {
      default: options,
      flush: [PROC_BOX, 'spool', 'flush', ...places, '-uri', at, '--wait', '5s'],
      ...more,
    });
  const { channel } = await foreignClient(t, uri);
  const { messages } = await collect(channel, 'amq.topic', `${keys}.#`);
  return { mom, proxy, spool, hook, messages, own: join(spool, String(NOBODY.uid)) };
}

/** A job that is killed, wrapper and all, while the broker is away. */
async function killedInOutage({ mom, proxy, own, hook, messages }: Awaited<ReturnType<typeof site>>, id: string) {
  const task = await mom.run({
    script: '#!/bin/sh\necho ready; exec sleep 1000',
    id,
    hook: hook(),
    user: NOBODY,
  });
  await until(() => messages.length > 5, 'samples arrive');
  await proxy.down();
  await until(() => kept(own).length > 5, 'the spool grows');
  task.signal('KILL');
  t.equal(await task.exitStatus, 256 + 9);
  return kept(own);
}

/** What the broker has not confirmed. */
function kept(folder: string) {
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder).filter((name) => name.endsWith('.spool') && lstatSync(join(folder, name)).isFile());
  const records = files.flatMap((name) => recordsOf(join(folder, name)));
  const through = Math.max(0, ...records.map((record) => ('through' in record ? record.through : 0)));
  return records.filter((record) => 'n' in record).filter(({ n }) => n > through);
}

t.test('the spool of a box that was killed in an outage arrives at the end of its job', async (t) => {
  const all = await site(t);
  const { mom, own, hook, messages } = all;
  const waiting = await killedInOutage(all, '60.srv');
  // What belongs to root is neither read nor removed, whatever the user points at it.
  const secret = mom.write('secret', 'of root\n');
  symlinkSync(secret, join(own, 'aaaaaaaaaaaa.spool'));
  symlinkSync(mom.home, join(all.spool, '65533'));

  t.strictSame((await mom.endHook('execjob_epilogue', '60.srv', hook(), NOBODY)).log, [], 'MoM waits for the epilogue');
  t.equal(kept(own).length, waiting.length);
  const { log } = await mom.endHook('execjob_end', '60.srv', hook(), NOBODY);
  t.match(log.join('\n'), /delivered [1-9]\d* messages of \d+ files; 1 files are left/);
  const last = Math.max(...waiting.map(({ n }) => n));
  const numbers = () => new Set(messages.map(({ properties }) => Number(properties.messageId.split('-')[1])));
  await until(() => numbers().size >= last, 'all have arrived');
  t.match(JSON.parse(messages.at(-1)!.content.toString()), { Identity: { job: '60', user: NOBODY.name } });
  t.equal(kept(own).length, 0, 'what was delivered is removed');
  t.equal(readFileSync(secret, 'utf8'), 'of root\n');
});

t.test('a broker that is away, or silent, holds the end of a job up for a bounded time', async (t) => {
  const all = await site(t);
  const { mom, own, hook } = all;
  const waiting = await killedInOutage(all, '61.srv');
  const silent = createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  t.teardown(() => silent.close());
  const nobodyListens = all.proxy.uriOf(uri);
  const neverAnswers = `amqp://127.0.0.1:${(silent.address() as { port: number }).port}`;
  for (const [at, more, message] of [
    [nobodyListens, {}, /proc_box: flush_spool of 61\.srv: \S+proc_box: exit status 125: .*connection refused/],
    [neverAnswers, {}, /proc_box: flush_spool of 61\.srv: \S+proc_box: exit status 125: .*no answer/],
    [neverAnswers, { flush_seconds: 1 }, /proc_box: flush_spool of 61\.srv: .*timed out after 1 seconds/],
  ] as const) {
    const began = performance.now();
    const { log, ...answer } = await mom.endHook('execjob_end', '61.srv', hook(more, at), NOBODY);
    t.match(log.join('\n'), message);
    t.match(answer, { accept: true });
    t.ok(performance.now() - began < 20_000);
    t.equal(kept(own).length, waiting.length, 'it waits for the next flush');
  }
  await until(() => !runs(own), 'no flush is left behind');
});

/** A process whose command line names the spool. */
function runs(own: string): boolean {
  const spool = own.slice(0, own.lastIndexOf('/'));
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .some((pid) => commandLineOf(Number(pid))?.some((word) => word.includes(spool)));
}
