import { join } from 'node:path';
import { hostname, userName } from 'cgroup-utils-native';
import type { Logger } from '../../log.js';
import type { Note } from '../model/observed.js';
import type { SendCommand } from './api/commanding.js';
import { LiveJobs } from './api/live-jobs.js';
import { LivePages } from './api/live-pages.js';
import { addRoutes } from './api/routes.js';
import { listenAt, makeServer, metricsServer, SECURITY_HEADERS } from './api/server.js';
import { AccessControl } from './auth/access.js';
import { ownToken } from './auth/token.js';
import type { LiveBox } from './live/box.js';
import { type CollectorOptions, isPostgres } from './options.js';
import { Session } from './session.js';
import { openPostgres } from './store/postgres.js';
import { recordCommand } from './store/queries.js';
import { openSqlite, sqliteModule } from './store/sqlite.js';

/** A collector from its start to the signal that ends it. */

export interface RunOptions {
  readonly options: CollectorOptions;
  readonly version: string;
  /** Folder of the page's files. */
  readonly page: string;
  /** Finds a module of Node or of node_modules. */
  readonly load: (name: string) => unknown;
  readonly send: SendCommand;
  /** What to ask for next time. */
  readonly notesOf: (boxes: readonly LiveBox[]) => readonly Note[];
  readonly log: Logger;
  /** Resolves with the reason to end. */
  readonly told: Promise<string>;
  /** Called once it listens and the store is open. */
  readonly onReady: () => void;
}

const CLOSE_MS = 10_000;

/** @throws SpecError, EnvironmentError */
export async function serve(run: RunOptions): Promise<void> {
  const { options, log, told, version, send, notesOf } = run;
  const jobs = new LiveJobs();
  const session = new Session({
    options,
    openStore: storeOpener(run),
    host: hostname(),
    log,
    onMessage: (box, message) => jobs.take(box, message),
    onTick: () => {},
  });
  const pages = new LivePages(session.boxes);
  const token = options.auth.mode === 'token' && options.auth.tokens === null ? ownToken(tokenFolder(options)) : '';
  const access = new AccessControl({ auth: options.auth, token, self: userName(), userName: nameOf });
  const metrics = async () => ({ type: 'text/plain', text: '' });
  const app = makeServer({
    access,
    page: run.page,
    log,
    metrics,
    notReady: () => (session.isOpen ? null : session.problem),
    routes: (server, viewerOf) =>
      addRoutes(server, {
        boxes: session.boxes,
        database: () => session.database,
        pages,
        jobs,
        commanding: { boxes: session.boxes, send, record: (record) => recordCommand(session.database, record), log },
        notesOf,
        auth: options.auth.mode,
        version,
        viewerOf,
        headers: SECURITY_HEADERS,
      }),
  });
  const plain = options.metricsListen === null ? null : metricsServer(metrics, log);
  try {
    if (options.listen !== null) tellAddress(log, options, await listenAt(app, options.listen, '--listen'), token);
    if (plain !== null && options.metricsListen?.kind === 'tcp') {
      const { host, port } = options.metricsListen;
      await new Promise<void>((resolve, reject) => plain.once('error', reject).listen(port, host, resolve));
    }
    const begun = session.begin().then(run.onReady);
    const why = await Promise.race([told, begun.then(() => told)]);
    log.info(`the collector ends: ${why}`);
  } finally {
    pages.close();
    jobs.close();
    plain?.close();
    await session.close(CLOSE_MS);
    await app.close();
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
