// test-timeout: 240s
import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import t from 'tap';
import { freePorts } from '../../scripts/dev/broker.mjs';
import type {
  BoxPage,
  BoxPageDelta,
  BoxView,
  CommandRecord,
  CommandResult,
  HistoryPage,
  JobView,
  WhoAmI,
} from '../../src/observe/model/api.js';
import type { CollectorProcess } from '../fixtures/collector.js';
import { collectorSite as site } from '../fixtures/collector-site.js';
import { eventMessage, exitedMessage, sampleMessage } from '../fixtures/observed.js';
import { answerErrors, api, schemaErrorsOf } from '../fixtures/openapi.js';
import { startPostgres } from '../fixtures/postgres.js';
import { until } from '../fixtures/processes.js';
import { start, temporaryFolder } from '../fixtures/run.js';

const get = async (collector: CollectorProcess, path: string, headers: Record<string, string> = {}) => {
  const response = await fetch(collector.url + path, { headers, redirect: 'manual' });
  return { status: response.status, headers: response.headers, text: await response.text() };
};

t.test('what boxes publish is there for those who may see it, as the API describes it', async (t) => {
  const { publish, has, collector, restart } = await site(t);
  const nowMs = Date.now() - 60_000;
  const [one, two, other] = [
    { box: 'b1', job: '12_1', user: 'alice', host: 'node1', scheduler: 'slurm', cluster: 'c' },
    { box: 'b2', job: '12_2', user: 'alice', host: 'node2', scheduler: 'slurm', cluster: 'c' },
    { box: 'b3', job: '13', user: 'b<script>', host: 'node1' },
  ];
  await publish(
    eventMessage(one, 1, nowMs, 'started', { executable: 'app', sample_interval_ms: 1_000 }),
    ...[2, 3, 4, 5].map((sequence) => sampleMessage(one, sequence, nowMs + sequence * 1_000)),
    sampleMessage(two, 1, nowMs),
    exitedMessage(two, 2, nowMs + 1_000, { reason: 'oom', why: 'out of memory', exit_status: 137 }),
    sampleMessage(other, 1, nowMs),
    { not: 'a message' },
  );
  await has(3);
  const paths: readonly (readonly [path: string, asked: string])[] = [
    ['/whoami', '/whoami'],
    ['/boxes', '/boxes?sort=-time_percent&limit=2&offset=1'],
    ['/boxes/{box}', '/boxes/b1'],
    ['/boxes/{box}', '/boxes/b2'],
    ['/boxes/{box}/series', '/boxes/b1/series?points=3'],
    ['/boxes/{box}/events', '/boxes/b2/events'],
    ['/jobs/{job}', '/jobs/12'],
    ['/jobs/{job}', '/jobs/12_2?cluster=c'],
    ['/jobs/{job}/series', '/jobs/12/series?boxes=1'],
    ['/jobs/{job}/events', '/jobs/12/events'],
    ['/jobs/{job}/reports', '/jobs/12/reports'],
    ['/users', '/users'],
    ['/users/{name}', '/users/alice'],
    ['/hosts', '/hosts'],
    ['/hosts/{name}', '/hosts/node1'],
    ['/history', '/history?q=1&limit=1'],
    ['/alerts', '/alerts'],
    ['/commands', '/commands'],
  ];
  for (const [path, asked] of paths) t.strictSame(answerErrors('get', path, await collector().get(asked)), [], asked);
  const job = await collector().get<JobView>('/jobs/12');
  t.match(job, { state: 'running', hosts: ['node1', 'node2'], boxes_total: 2, ends: [{ reason: 'oom', boxes: 1 }] });
  t.ok(job.notes.length > 0, 'it says what to ask for next time');
  const { rows, next } = await collector().get<HistoryPage>('/history?limit=2');
  const more = await collector().get<HistoryPage>(`/history?limit=2&cursor=${next}`);
  t.strictSame([...rows, ...more.rows].map(({ box }) => box).sort(), ['b1', 'b2', 'b3']);
  t.equal(await collector().metric('proc_box_collector_refused_messages_total{reason="not_proc_box"}'), 1);

  await restart();
  const view = await collector().get<BoxView>('/boxes/b1');
  t.match(
    view,
    { samples: 4, events: 1, missing: 0, row: { state: 'running', executable: 'app' } },
    'also after SIGKILL',
  );
  await publish(sampleMessage(one, 5, nowMs), sampleMessage(one, 6, nowMs + 6_000));
  await until(
    async () => (await collector().get<BoxView>('/boxes/b1')).samples === 5,
    'the new one counts, and the old one does not',
  );
  t.equal(await collector().metric('proc_box_collector_duplicate_messages_total'), 1);
});

t.test('a stream has the whole part first, and then what has changed', async (t) => {
  const { publish, has, collector } = await site(t);
  const nowMs = Date.now();
  await publish(sampleMessage({ box: 'b1' }, 1, nowMs), sampleMessage({ box: 'b2' }, 1, nowMs));
  await has(2);
  const pages: BoxPageDelta[] = [];
  let text = '';
  const asked = request(`${collector().url}/api/v1/boxes/stream?sort=job`, {
    headers: { authorization: `Bearer ${collector().token}` },
  });
  asked.on('response', (response) => {
    t.equal(response.headers['x-accel-buffering'], 'no');
    response.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      const events = text.split('\n\n');
      text = events.pop()!;
      for (const event of events) {
        const data = /^event: page\ndata: (.*)$/s.exec(event)?.[1];
        if (data !== undefined) pages.push(JSON.parse(data));
      }
    });
  });
  asked.on('error', () => {});
  asked.end();
  t.teardown(() => asked.destroy());
  await until(() => pages.length === 1, 'the first page');
  t.strictSame(
    pages[0]?.rows.map(({ box }) => box),
    ['b1', 'b2'],
  );
  await publish(sampleMessage({ box: 'b2' }, 2, nowMs + 1_000, { CPUPercent: 7 }));
  await until(() => pages.length >= 2, 'a change');
  t.match(pages[1], { order: ['b1', 'b2'], rows: [{ box: 'b2', cpu_percent: 7 }] });
  t.equal(pages[1]?.rows.length, 1, 'only that row');
  for (const page of pages) t.strictSame(schemaErrorsOf('BoxPageDelta', page), []);
});

t.test('users see their own boxes, operators see all, and others nothing', async (t) => {
  const folder = temporaryFolder(t);
  const tokens = join(folder, 'tokens');
  writeFileSync(tokens, '# user token\nalice aaaaaaaaaaaaaaaaaaaa\nboss bbbbbbbbbbbbbbbbbbbb\n');
  chmodSync(tokens, 0o600);
  const { publish, collector } = await site(t, ['--token-file', tokens, '--operators', 'boss']);
  const nowMs = Date.now();
  await publish(
    sampleMessage({ box: 'b1', job: '1', user: 'alice' }, 1, nowMs),
    sampleMessage({ box: 'b2', job: '2', user: 'bob' }, 1, nowMs),
  );
  const as = async (token: string, path: string) => {
    const { status, text } = await get(collector(), `/api/v1${path}`, { authorization: `Bearer ${token}` });
    return { status, answer: JSON.parse(text) };
  };
  const [alice, boss] = ['a'.repeat(20), 'b'.repeat(20)];
  await until(async () => (await as(boss, '/boxes')).answer.matching === 2, 'both boxes');
  t.match((await as(alice, '/whoami')).answer as WhoAmI, { user: 'alice', operator: false, may_command: true });
  t.strictSame(
    (await as(alice, '/boxes')).answer.rows.map(({ box }: { box: string }) => box),
    ['b1'],
  );
  t.strictSame(
    (await as(alice, '/history')).answer.rows.map(({ box }: { box: string }) => box),
    ['b1'],
  );
  for (const path of ['/boxes/b2', '/boxes/b2/series', '/jobs/2', '/jobs/2/reports', '/users/bob'])
    t.equal((await as(alice, path)).status, 404, path);
  t.strictSame(
    (await as(alice, '/users')).answer.map(({ name }: { name: string }) => name),
    ['alice'],
  );
  t.equal((await as(alice, '/hosts/node1')).answer.totals.boxes, 1);
  t.equal((await as('nonsense', '/boxes')).status, 401);
  t.equal((await get(collector(), '/metrics', { authorization: `Bearer ${alice}` })).status, 403);
  t.match(await as(boss, '/boxes?stat=running'), { status: 400, answer: { detail: /unknown parameter "stat"/ } });
});

t.test(
  'the address with the token logs a browser in, and every answer has the headers of a careful page',
  async (t) => {
    const { collector } = await site(t);
    const { status, headers } = await get(collector(), `/jobs/7?token=${collector().token}&tab=plots`);
    t.equal(status, 303);
    t.equal(headers.get('location'), '/jobs/7?tab=plots');
    const cookie = headers.get('set-cookie')!;
    t.match(cookie, /HttpOnly; SameSite=Lax/);
    t.equal((await get(collector(), '/api/v1/whoami', { cookie: cookie.split(';')[0]! })).status, 200);
    t.equal((await get(collector(), `/?token=wrong`)).status, 401);
    for (const path of ['/', '/api/v1/boxes', '/healthz', '/nowhere'])
      t.match((await get(collector(), path)).headers.get('content-security-policy'), /default-src 'none'/, path);
    t.equal((await get(collector(), '/api/v2/boxes')).status, 401);
    t.equal((await get(collector(), '/%2e%2e/%2e%2e/etc/passwd')).text.includes('root:'), false);
    const head = await get(collector(), `//evil.example/?token=${collector().token}`);
    t.equal(head.headers.get('location'), '/', 'a redirect stays here');
  },
);

t.test('a command reaches the box over the broker, and is in the audit trail', async (t) => {
  const { uri, options, keys, collector } = await site(t);
  const rkey = options.words[options.words.indexOf('--rkey') + 1]!;
  const words = [
    '--config',
    'none',
    '-uri',
    uri,
    '-rkey',
    rkey,
    '-skey',
    keys.skey,
    '-ekey',
    keys.ekey,
    '--sint',
    '1s',
  ];
  const box = start(t, [...words, '--', 'sleep', '600']);
  const page = () => collector().get<BoxPage>('/boxes');
  await until(async () => (await page()).rows[0]?.state === 'running', 'the box runs');
  const { box: id } = (await page()).rows[0]!;
  const post = async (body: object, headers: Record<string, string> = {}) => {
    const response = await fetch(`${collector().url}/api/v1/commands`, {
      method: 'POST',
      headers: { authorization: `Bearer ${collector().token}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    return { status: response.status, answer: await response.json() };
  };
  const suspend = { command: 'suspend', target: { box: id } };
  t.equal((await post(suspend, { 'sec-fetch-site': 'cross-site' })).status, 403);
  t.equal((await post(suspend, { origin: 'https://evil.example' })).status, 403);
  t.equal((await post(suspend, { 'content-type': 'text/plain' })).status, 415);
  t.equal((await post({ command: 'suspend', target: {} })).status, 400);
  t.equal((await post({ command: 'explode', target: { box: id } })).status, 400);
  t.equal((await post({ command: 'kill', target: { box: 'nobody' } })).status, 404);
  const { status, answer } = await post(suspend);
  t.equal(status, 200);
  t.strictSame(answerErrors('post', '/commands', answer), []);
  t.match(answer as CommandResult, { outcome: 'complete', answers: [{ ok: true, box: id }] });
  await until(async () => (await page()).rows[0]?.state === 'suspended', 'it shows');
  t.match(await post({ command: 'kill', target: { box: id } }), { status: 200 });
  await box.done;
  await until(async () => (await page()).rows[0]?.reason === 'killed', 'why it ended');
  const trail = await collector().get<CommandRecord[]>('/commands');
  t.strictSame(trail.map(({ command, outcome }) => `${command} ${outcome}`).sort(), [
    'kill complete',
    'kill unroutable',
    'suspend complete',
  ]);
});

t.test('/metrics passes promtool, and the document names every path', async (t) => {
  const { publish, has, collector } = await site(t, ['--top', '1']);
  await publish(...[1, 2, 3].map((index) => sampleMessage({ box: `b${index}`, job: `j"\\\n${index}` }, 1, Date.now())));
  await has(3);
  const { text } = await get(collector(), '/metrics', { authorization: `Bearer ${collector().token}` });
  t.equal(text.match(/^proc_box_job_boxes\{/gm)?.length, 1, 'the number of series is bounded');
  t.match(text, /^proc_box_boxes\{state="running"\} 3$/m);
  const checked = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  if (checked.error === undefined) t.equal(checked.status, 0, checked.stderr);
  for (const path of Object.keys(api.paths)) {
    const asked = path.replace(/\{\w+\}/, 'none');
    if (!path.endsWith('/stream'))
      t.not((await get(collector(), `/api/v1${asked}`)).text.includes('there is no GET'), true, path);
  }
});

t.test('it ends in an orderly way, and says what is wrong with its options', async (t) => {
  const { collector, restart } = await site(t);
  t.equal(await collector().end('SIGTERM'), 0);
  await restart();
});

const postgres = await startPostgres();
t.teardown(() => postgres?.stop());

t.test(
  'a PostgreSQL server that crashes and comes back: the collector goes on, and each message is there once',
  { skip: postgres === null && 'needs a PostgreSQL server' },
  async (t) => {
    // It listens anew with the store: its address has to stay.
    const [port] = await freePorts(1);
    const { publish, has, collector } = await site(t, ['--listen', `127.0.0.1:${port}`], postgres!.uri);
    const nowMs = Date.now() - 60_000;
    const boxes = [1, 2, 3].map((n) => ({ box: `p${n}`, job: `${n}`, user: 'alice', host: 'node1' }));
    await publish(sampleMessage(boxes[0]!, 1, nowMs), sampleMessage(boxes[0]!, 2, nowMs + 1_000));
    await has(1);
    await postgres!.crash();
    await publish(sampleMessage(boxes[1]!, 1, nowMs), sampleMessage(boxes[0]!, 2, nowMs + 1_000));
    await until(() => collector().log().includes('lost the connection to the store'), 'it notices');
    await postgres!.start();
    await publish(sampleMessage(boxes[2]!, 1, nowMs));
    // While it opens the store anew, it answers that it is not ready, or not at all.
    const matching = async () =>
      (
        await collector()
          .get<BoxPage>('/boxes')
          .catch(() => null)
      )?.matching === 3;
    await until(matching, `the boxes from before and after: ${collector().log()}`, 60_000);
    t.equal(await collector().metric('proc_box_collector_duplicate_messages_total'), 1, 'what came twice counts once');
  },
);
