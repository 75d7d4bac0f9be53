import t from 'tap';
import { sharedBroker } from '../fixtures/broker.js';
import { connectOperator } from '../fixtures/operated-job.js';
import { run } from '../fixtures/run.js';

/** `set_limit timeout +1h` extends the limit in force, and `-` shortens it. */

const operator = await connectOperator(t, await sharedBroker(t));

t.test('+ extends and - shortens the limit in force, and the answer shows the new one', async (t) => {
  const job = await operator.start(t, ['sleep', '1000'], {
    options: ['--timeout', '1h', '--stdoutlimit', '1G', '--rlimit', 'nofile=512:1024', '--cpu-time', '10m'],
  });
  await job.bound();
  const set = async (name: string, value: string | number) => (await job.ask('set_limit', [name, value])).result;
  t.match(await set('timeout', '+3s'), { limit: 'timeout', value: 3_603_000, unit: 'ms', source: 'command' });
  t.match(await set('timeout', '-1:00'), { value: 3_543_000 });
  t.match(await set('timeout', -43), { value: 3_500_000 }, 'a number is taken as its text');
  t.match((await job.ask('status')).result.timer, { limit_ms: 3_500_000, running: true });
  t.match(await set('stdoutlimit', '+1G'), { value: 2 * 2 ** 30 });
  t.match(await set('cpu-time', '+90'), { value: 690_000 });
  t.match(await set('nofile', '+100'), { value: 612, hard: 1024 });
  t.match(job.processes()[0]?.limit('Max open files'), { soft: '612', hard: '1024' });
  await set('timeout', '2h');
  t.match(await set('timeout', '+1d'), { value: 93_600_000 }, 'the base is the limit in force');
});

t.test('changes of one limit that come at once all count', async (t) => {
  const job = await operator.start(t, ['sleep', '1000'], { options: ['--rlimit', 'nofile=100:1024'] });
  await job.bound();
  await Promise.all(Array.from({ length: 8 }, () => job.ask('set_limit', ['nofile', '+10'])));
  t.match(job.processes()[0]?.limit('Max open files'), { soft: '180' });
});

t.test('a change that cannot be is refused, and changes nothing', async (t) => {
  const job = await operator.start(t, ['sleep', '1000'], { options: ['--timeout', '0', '--stdoutlimit', '1M'] });
  await job.bound();
  for (const [name, value, message] of [
    ['timeout', '+3s', /timeout has no limit that/],
    ['memory', '+1G', /memory has no limit that/],
    ['stdoutlimit', '-1M', /would leave nothing of it/],
    ['stdoutlimit', '+much', /is not a size/],
    ['timeout', '1:99', /is not a time limit: expected .*D-HH:MM:SS/],
  ] as const) {
    t.match(await job.ask('set_limit', [name, value]), { ok: false, error: { code: 'bad_arguments', message } });
  }
  const { limits } = (await job.ask('status')).result;
  t.match(limits, { timeout: { value: 'unlimited' }, stdoutlimit: { value: 2 ** 20 } });
});

t.test('an extension keeps a job alive that its old limit would have ended', async (t) => {
  const job = await operator.start(t, ['sleep', '5'], { options: ['--timeout', '4s'] });
  await job.bound();
  t.match(await job.ask('set_limit', ['timeout', '+60s']), { ok: true, result: { value: 64_000 } });
  t.match(await job.ended, { code: 0 });
});

t.test('--timeout takes the forms of Slurm, on the command line, as variable and in the config file', async (t) => {
  const folder = t.testdir({ 'config.yaml': 'timeout: 0:01\n', 'number.yaml': 'timeout: 1\n' });
  const sleep = ['sleep', '30'];
  t.equal((await run(t, sleep, { options: ['--timeout', '1'] })).code, 124);
  t.equal((await run(t, sleep, { env: { PBOX_TIMEOUT: '0-00:00:01' } })).code, 124);
  for (const file of ['config.yaml', 'number.yaml'])
    t.equal(
      (await run(t, sleep, { bare: true, options: ['-uri', 'none', '--config', `${folder}/${file}`] })).code,
      124,
    );
  const { code, stderr } = await run(t, sleep, { options: ['--timeout', '1:99'] });
  t.equal(code, 125);
  t.match(stderr, /--timeout: "1:99" is not a time limit: expected a duration .* or "scheduler"\n/);
});
