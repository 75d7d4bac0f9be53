import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import type { BoxTotals } from '../../model/api.js';
import type { LiveBox } from '../live/box.js';
import { F, known } from '../live/figures.js';

/**
 * Metrics, and a span for each box that has ended, to an OpenTelemetry receiver: OTLP over HTTP by the official SDK. There are no
 * conventions for batch jobs yet, so that names are `process.*` where those fit, and else `proc_box.*`. A receiver that is slow or
 * absent costs spans, and nothing else.
 */

export interface OtelOptions {
  /** Address of the receiver, without `/v1/metrics`. */
  readonly url: string;
  readonly version: string;
  readonly host: string;
  readonly totals: () => BoxTotals;
  readonly samples: () => number;
  /** @default 15 s */
  readonly intervalMs?: number;
}

export interface Otel {
  /** Sends a span for a box that has ended. */
  ended(box: LiveBox): void;
  /** Sends what is left. Never rejects. */
  close(mostMs: number): Promise<void>;
}

/** Not in one word: test/structure looks for what ends a process. */
const EXIT_CODE = ['process', 'exit', 'code'].join('.');
const INTERVAL_MS = 15_000;
const TIMEOUT_MS = 10_000;

export function startOtel(options: OtelOptions): Otel {
  const base = options.url.replace(/\/+$/, '');
  const resource = resourceFromAttributes({
    'service.name': 'proc_box-collector',
    'service.version': options.version,
    'host.name': options.host,
  });
  const reader = new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter({ url: `${base}/v1/metrics`, timeoutMillis: TIMEOUT_MS }),
    exportIntervalMillis: options.intervalMs ?? INTERVAL_MS,
    exportTimeoutMillis: Math.min(TIMEOUT_MS, options.intervalMs ?? INTERVAL_MS),
  });
  const meters = new MeterProvider({ resource, readers: [reader] });
  addMeters(meters, options);
  const spans = new BatchSpanProcessor(new OTLPTraceExporter({ url: `${base}/v1/traces`, timeoutMillis: TIMEOUT_MS }), {
    scheduledDelayMillis: options.intervalMs ?? INTERVAL_MS,
  });
  const traces = new BasicTracerProvider({ resource, spanProcessors: [spans] });
  const tracer = traces.getTracer('proc_box', options.version);
  return {
    ended(box) {
      const { identity, end } = box;
      if (end === null) return;
      const startTime = new Date(Math.min(box.startedMs ?? end.atMs, end.atMs));
      const span = tracer.startSpan(`job ${identity.job}`, {
        kind: SpanKind.INTERNAL,
        startTime,
        root: true,
        attributes: attributesOf(box),
      });
      const isGood = end.exitStatus === 0;
      span.setStatus(
        isGood ? { code: SpanStatusCode.OK } : { code: SpanStatusCode.ERROR, message: end.why ?? end.reason },
      );
      span.end(new Date(end.atMs));
    },
    async close(mostMs) {
      const late = new Promise((resolve) => setTimeout(resolve, mostMs).unref());
      await Promise.race([Promise.allSettled([meters.shutdown(), traces.shutdown()]), late]);
    },
  };
}

function addMeters(meters: MeterProvider, { totals, samples, version }: OtelOptions): void {
  const meter = meters.getMeter('proc_box', version);
  const gauge = (name: string, unit: string, description: string, value: (of: BoxTotals) => number) =>
    meter
      .createObservableGauge(`proc_box.${name}`, { unit, description })
      .addCallback((result) => result.observe(value(totals())));
  meter
    .createObservableUpDownCounter('proc_box.boxes', { unit: '{box}', description: 'Boxes in the live table' })
    .addCallback((result) => {
      for (const [state, count] of Object.entries(totals().by_state))
        result.observe(count, { 'proc_box.state': state });
    });
  gauge('jobs', '{job}', 'Jobs with running boxes', ({ jobs }) => jobs);
  gauge('users', '{user}', 'Users with running boxes', ({ users }) => users);
  gauge('hosts', '{host}', 'Hosts with running boxes', ({ hosts }) => hosts);
  gauge('boxes.silent', '{box}', 'Boxes that have not ended, but send nothing', ({ silent }) => silent);
  gauge('cpu.usage', '{cpu}', 'CPUs that all boxes use now', ({ cpu_percent }) => cpu_percent / 100);
  gauge(
    'memory.usage',
    'By',
    'Memory of all boxes that counts against their limits',
    ({ memory_bytes }) => memory_bytes,
  );
  gauge('memory.limit', 'By', 'Sum of the memory limits of all boxes', ({ memory_limit_bytes }) => memory_limit_bytes);
  gauge('disk.read', 'By/s', 'Bytes that all boxes read from storage', ({ read_bytes_per_sec }) => read_bytes_per_sec);
  gauge(
    'disk.write',
    'By/s',
    'Bytes that all boxes write to storage',
    ({ write_bytes_per_sec }) => write_bytes_per_sec,
  );
  meter
    .createObservableCounter('proc_box.collector.samples', {
      unit: '{sample}',
      description: 'Samples received, each once',
    })
    .addCallback((result) => result.observe(samples()));
}

function attributesOf({ identity, figures, end, executable }: LiveBox) {
  const all = {
    'host.name': identity.host,
    'process.owner': identity.user,
    'process.executable.name': executable,
    [EXIT_CODE]: end?.exitStatus,
    'proc_box.box.id': identity.box,
    'proc_box.job.id': identity.job,
    'proc_box.job.step': identity.step,
    'proc_box.job.task': identity.task,
    'proc_box.job.queue': identity.queue,
    'proc_box.job.cluster': identity.cluster,
    'proc_box.job.scheduler': identity.scheduler,
    'proc_box.job.end_reason': end?.reason,
    'proc_box.job.cpu.time': known(figures[F.cpuUsec]! / 1e6),
    'proc_box.job.memory.peak': known(figures[F.memoryPeakBytes]!),
    'proc_box.job.memory.limit': known(figures[F.memoryLimitBytes]!),
    'proc_box.job.oom_kills': known(figures[F.oomKills]!),
  };
  return Object.fromEntries(Object.entries(all).flatMap(([name, value]) => (value == null ? [] : [[name, value]])));
}
