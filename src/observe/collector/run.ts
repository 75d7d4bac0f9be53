import { join } from 'node:path';
import { hostname, userName } from 'cgroup-utils-native';
import { isEnvironmentError } from '../../errors.js';
import type { Logger } from '../../log.js';
import type { Observed } from '../model/observed.js';
import { Alerts } from './alerts/alerts.js';
import { deliverer } from './alerts/deliver.js';
import { type AlertLink, alertLink } from './alerts/publish.js';
import type { SendCommand } from './api/commanding.js';
import { LiveJobs } from './api/live-jobs.js';
import { LiveMessages } from './api/live-messages.js';
import { LivePages } from './api/live-pages.js';
import { addRoutes } from './api/routes.js';
import { listenAt, listenPlain, makeServer, metricsServer, SECURITY_HEADERS } from './api/server.js';
import { AccessControl } from './auth/access.js';
import { ownToken } from './auth/token.js';
import type { LiveBox } from './live/box.js';
import { totalsOf } from './live/row.js';
import { createMetrics } from './metrics/metrics.js';
import { notesOf } from './notes.js';
import { type CollectorOptions, isPostgres } from './options.js';
import type * as OtelBundle from './otel/otel.js';
import { Session } from './session.js';
import { DatabaseError } from './store/database.js';
import { openPostgres } from './store/postgres.js';
import { recordCommand } from './store/queries.js';
import { openSqlite } from './store/sqlite.js';
import { sqliteModule } from './store/sqlite-module.js';

/** A collector from its start to the signal that ends it. */

export interface RunOptions {
  readonly options: CollectorOptions;
  readonly version: string;
  /** Folder of the page's files. */
  readonly page: string;
  /** Finds a module of Node or of node_modules. */
  readonly load: (name: string) => unknown;
  readonly loadOtel: () => typeof OtelBundle;
  readonly send: SendCommand;
  readonly log: Logger;
  /** Resolves with the reason to end. */
  readonly told: Promise<string>;
  /** Called once it listens and the store is open. */
  readonly onReady: () => void;
}

const CLOSE_MS = 10_000;
const ALERTS_MS = 10_000;

/** Serves until it is told to end. If the store is lost, all begins anew, as after a restart. @throws SpecError, EnvironmentError */
export async function serve(run: RunOptions): Promise<void> {
  for (let why = LOST; why === LOST; ) {
    const collector = new Collector(run);
    try {
      await collector.listen();
      const begun = collector.begin();
      why = await Promise.race([run.told, begun.then(() => Promise.race([run.told, collector.lost]))]);
      if (why === LOST)
        run.log.error('lost the connection to the store: opening it again; messages wait in the broker');
      else run.log.info(`the collector ends: ${why}`);
    } finally {
      await collector.close();
    }
  }
}

const LOST = 'the store is lost';

class Collector {
  readonly #run: RunOptions;
  readonly #host = hostname();
  readonly #session: Session;
  readonly #pages: LivePages;
  readonly #jobs = new LiveJobs();
  readonly #messages = new LiveMessages();
  /** Ended boxes by reason. */
  readonly #ended = new Map<string, number>();
  readonly #metrics: () => Promise<{ readonly type: string; readonly text: string }>;
  readonly #closing: (() => unknown)[] = [];
  #alerts: Alerts | null = null;
  #alertLink: AlertLink | null = null;
  #otel: OtelBundle.Otel | null = null;
  #checkedMs = 0;

  constructor(run: RunOptions) {
    this.#run = run;
    const { options, log } = run;
    this.#session = new Session({
      options,
      openStore: storeOpener(run),
      host: this.#host,
      log,
      onMessage: (box, message, body) => this.#onMessage(box, message, body),
      onTick: () => this.#check(),
    });
    this.#pages = new LivePages(this.#session.boxes);
    const registry = createMetrics(this.#metricsSource());
    this.#metrics = async () => ({ type: registry.contentType, text: await registry.metrics() });
  }

  /** @throws EnvironmentError */
  async listen(): Promise<void> {
    const { options, log } = this.#run;
    const { listen, metricsListen, auth } = options;
    const token = auth.mode === 'token' && auth.tokens === null ? ownToken(tokenFolder(options)) : '';
    if (listen !== null) {
      const app = this.#server(token);
      this.#closing.push(() => app.close());
      tellAddress(log, options, await listenAt(app, listen, '--listen'), token);
    }
    if (metricsListen !== null) {
      const server = metricsServer(this.#metrics, log);
      this.#closing.push(() => server.close());
      await listenPlain(server, metricsListen, '--metrics-listen');
    }
  }

  async begin(): Promise<void> {
    const { options, log, onReady, loadOtel, version } = this.#run;
    await this.#session.begin();
    if (!this.#session.isOpen) return;
    const { alerts, spec } = options;
    if (alerts.key !== undefined) this.#alertLink = alertLink(spec, this.#host, log);
    const publish = this.#alertLink?.publish ?? (async () => {});
    const deliver = deliverer({ alerts, publish, log });
    this.#alerts = new Alerts({ thresholds: alerts, database: this.#session.database, deliver, log });
    void this.#alerts.begin().catch((error: Error) => log.warn(`alerts: ${error.message}`));
    if (options.otlp !== undefined) {
      this.#otel = loadOtel().startOtel({
        url: options.otlp,
        version,
        host: this.#host,
        totals: () => totalsOf(this.#session.boxes.all(), Date.now()),
        samples: () => this.#session.intake?.counts.samples ?? 0,
      });
    }
    await this.#session.consumer?.began;
    onReady();
  }

  get lost(): Promise<typeof LOST> {
    return this.#session.lost.then(() => LOST);
  }

  /** Never rejects. */
  async close(): Promise<void> {
    this.#pages.close();
    this.#jobs.close();
    this.#messages.close();
    await this.#session.close(CLOSE_MS);
    await this.#alertLink?.close(CLOSE_MS);
    await this.#otel?.close(CLOSE_MS);
    await Promise.allSettled(this.#closing.map((close) => close()));
  }

  #server(token: string) {
    const { options, log, page, version, send } = this.#run;
    const session = this.#session;
    const access = new AccessControl({ auth: options.auth, token, self: userName(), userName: nameOf });
    return makeServer({
      access,
      page,
      log,
      metrics: this.#metrics,
      notReady: () => (session.isOpen ? null : session.problem),
      routes: (server, viewerOf) =>
        addRoutes(server, {
          boxes: session.boxes,
          database: () => session.database,
          pages: this.#pages,
          jobs: this.#jobs,
          messages: this.#messages,
          commanding: { boxes: session.boxes, send, record: (record) => recordCommand(session.database, record), log },
          notesOf,
          auth: options.auth.mode,
          version,
          viewerOf,
          headers: SECURITY_HEADERS,
        }),
    });
  }

  #onMessage(box: LiveBox, message: Observed, body: Buffer): void {
    this.#jobs.take(box, message);
    this.#messages.take(message, body);
    if (message.kind !== 'event' || message.event !== 'exited' || box.end === null) return;
    this.#ended.set(box.end.reason, (this.#ended.get(box.end.reason) ?? 0) + 1);
    this.#otel?.ended(box);
  }

  #check(): void {
    const nowMs = Date.now();
    if (nowMs - this.#checkedMs < ALERTS_MS) return;
    this.#checkedMs = nowMs;
    const isUp = this.#session.consumer?.state.state === 'up' && this.#session.problem === null;
    void this.#alerts?.check(this.#session.boxes.all(), isUp, nowMs);
  }

  #metricsSource() {
    const session = this.#session;
    return {
      boxes: () => session.boxes.all(),
      counts: () => session.intake?.counts ?? null,
      waiting: () => session.intake?.waiting ?? 0,
      isBrokerUp: () => session.consumer?.state.state === 'up',
      isStoreUp: () => session.isOpen && session.problem === null,
      storeBytes: () => storeBytes(session),
      streams: () => this.#pages.watchers + this.#jobs.watchers + this.#messages.watchers,
      ended: () => this.#ended,
      alerts: () => this.#alerts?.counts ?? new Map<string, number>(),
      topCount: this.#run.options.topCount,
      version: this.#run.version,
    };
  }
}

/** Null while the store cannot be asked: `store_up` says so, and its session tries again. */
async function storeBytes(session: Session): Promise<number | null> {
  if (!session.isOpen) return null;
  try {
    return await session.database.size();
  } catch (error) {
    if (error instanceof DatabaseError || isEnvironmentError(error)) return null;
    throw error;
  }
}

function storeOpener({ options: { store }, load }: RunOptions) {
  if (isPostgres(store)) return () => openPostgres(store);
  const connect = sqliteModule(load);
  return async () => openSqlite(store, connect);
}

/** PostgreSQL leaves no folder of our own for the token. */
function tokenFolder({ store }: CollectorOptions): string {
  if (!isPostgres(store)) return store;
  return join(process.env['HOME'] ?? '/var/empty', '.local/state/proc_box/collector');
}

/** @returns null for a uid that has no name: nobody could be given its rights by name */
function nameOf(uid: number): string | null {
  const name = userName(uid);
  return /^\d+$/.test(name) ? null : name;
}

function tellAddress(log: Logger, { auth, listen }: CollectorOptions, address: string, token: string): void {
  if (listen?.kind === 'unix') return log.info(`the page and the API are at the socket ${address}`);
  const shown = address.replace('//0.0.0.0', `//${hostname()}`).replace('//[::]', `//${hostname()}`);
  const login = auth.mode === 'token' && token !== '' ? `/?token=${token}` : '/';
  log.info(`the page is at ${shown}${login}`);
}
