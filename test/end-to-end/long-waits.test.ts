import { spawn } from 'node:child_process';
import t from 'tap';
import { sharedBroker } from '../fixtures/broker.js';
import { connectOperator, executable } from '../fixtures/operated-job.js';

/** Options that name more than 24.8 days, which Node's own timers make one of 1 ms. */

const uri = await sharedBroker(t);
const operator = await connectOperator(t, uri);
const LONG = '1440h';
const waits = ['--timeout', '--sint', '--flush', '--grace', '--msgtimeout'].flatMap((option) => [option, LONG]);

t.test('a box whose every wait is 60 days long', async (t) => {
  const script = 'trap "sleep 0.5; exit 3" QUIT; echo ready; while :; do sleep 0.05; done';
  const job = await operator.start(t, ['sh', '-c', script], { options: waits });
  await job.bound();
  await job.printed('ready');
  t.match(await job.ask('set_limit', ['timeout', '2000h']), { ok: true });
  t.match(await job.ask('change_sample_rate', [LONG]), { ok: true });
  t.match(await job.ask('stop', [LONG]), { ok: true, result: { grace_ms: 1440 * 3600 * 1000 } });
  t.strictSame(await job.ended, { code: 3, signal: null }, 'it had its grace period');
  t.match(await job.event('exited'), { reason: 'stopped' }, 'and its last message was waited for');
  t.equal(job.received.filter(({ kind, body }) => kind === 'sample' && body.Cause === 'interval').length, 0);
  t.notMatch(job.stderr(), /TimeoutOverflowWarning|Warning/);
});

t.test('ctl waits for an answer, and returns with it', async (t) => {
  const job = await operator.start(t, ['sleep', '1000']);
  await job.bound();
  const args = [
    'ctl',
    '--uri',
    uri,
    '--config',
    'none',
    '--rkey',
    job.key,
    '--wait',
    LONG,
    '--all',
    '--answers',
    '1',
    'ping',
  ];
  const child = spawn(executable, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env['PATH'] } });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += chunk));
  const code = await new Promise((resolve) => child.on('close', resolve));
  t.equal(code, 0, text);
  t.notMatch(text, /Warning/);
});
