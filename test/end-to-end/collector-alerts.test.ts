// test-timeout: 180s
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import t, { type Test } from 'tap';
import { collect, foreignClient, sharedBroker, unique } from '../fixtures/broker.js';
import { startCollector } from '../fixtures/collector.js';
import { eventMessage, exitedMessage, sampleMessage } from '../fixtures/observed.js';
import { until } from '../fixtures/processes.js';
import { temporaryFolder } from '../fixtures/run.js';

/** An HTTP server that keeps what it is sent. */
async function receiver(t: Test) {
  const bodies: { path: string; body: string }[] = [];
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      bodies.push({ path: request.url!, body: Buffer.concat(parts).toString() });
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}`, bodies };
}

t.test('alerts go to a webhook and to the exchange, and OpenTelemetry gets metrics and a span a box', async (t) => {
  const uri = await sharedBroker(t);
  const { url, bodies } = await receiver(t);
  const names = {
    skey: unique('stats'),
    ekey: unique('events'),
    queue: unique('collector'),
    'alert-key': unique('alerts'),
  };
  const words = Object.entries(names).flatMap(([name, value]) => [`--${name}`, value]);
  const { channel } = await foreignClient(t, uri);
  const alerts = await collect(channel, 'amq.topic', `${names['alert-key']}.#`);
  const store = temporaryFolder(t);
  const collector = await startCollector({ uri, store, words: [...words, '--webhook', `${url}/hook`, '--otlp', url] });
  t.teardown(async () => {
    await collector.end('SIGKILL');
    await channel.deleteQueue(names.queue);
  });
  const nowMs = Date.now() - 10_000;
  const who = { box: unique('b'), job: '77', user: 'alice' };
  const publish = (message: Record<string, unknown>) =>
    channel.publish(
      'amq.topic',
      `${'event' in message ? names.ekey : names.skey}.n`,
      Buffer.from(JSON.stringify(message)),
    );
  publish(eventMessage(who, 1, nowMs, 'started', { executable: 'app' }));
  publish(sampleMessage(who, 2, nowMs + 1_000, { OOM: { events: 1, kills: 1 } }));
  publish(exitedMessage(who, 3, nowMs + 2_000, { reason: 'oom', exit_status: 137, why: 'out of memory' }));
  await until(() => bodies.some(({ path }) => path === '/hook'), 'the webhook', 60_000);
  t.match(JSON.parse(bodies.find(({ path }) => path === '/hook')!.body), { alert: 'oom', job: '77', user: 'alice' });
  const [message] = await alerts.count(1);
  t.equal(message?.fields.routingKey, `${names['alert-key']}.oom`);
  t.match(await collector.get('/alerts'), [{ alert: 'oom', job: '77' }]);
  t.equal(await collector.metric('proc_box_alerts_total{alert="oom"}'), 1);
  // It sends what is left before it ends.
  t.equal(await collector.end('SIGTERM'), 0);
  const sent = (path: string) => bodies.filter((one) => one.path === path).map(({ body }) => JSON.parse(body));
  const [traces] = sent('/v1/traces');
  const span = traces.resourceSpans[0].scopeSpans[0].spans[0];
  t.equal(span.name, 'job 77');
  t.equal(span.status.code, 2, 'an error');
  const attributes = Object.fromEntries(
    span.attributes.map(({ key, value }: { key: string; value: object }) => [key, Object.values(value)[0]]),
  );
  t.match(attributes, { 'proc_box.job.id': '77', 'process.owner': 'alice', 'proc_box.job.end_reason': 'oom' });
  t.equal(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano), 2_000_000_000n);
  const metrics = sent('/v1/metrics').flatMap(({ resourceMetrics }) => resourceMetrics[0].scopeMetrics[0].metrics);
  for (const name of ['proc_box.boxes', 'proc_box.memory.usage', 'proc_box.collector.samples'])
    t.ok(
      metrics.some((metric: { name: string }) => metric.name === name),
      name,
    );
});
