import { existsSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import fastifyStatic from '@fastify/static';
import { listenUnix, peerOf } from 'cgroup-utils-native';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { describeError, EnvironmentError } from '../../../errors.js';
import type { Logger } from '../../../log.js';
import { API_PREFIX } from '../../model/api.js';
import { type AccessControl, type Peer, TOKEN_COOKIE, type Viewer } from '../auth/access.js';
import type { ListenAt } from '../options.js';
import { ApiProblem, problemOf } from './problem.js';

/** The HTTP server: who may in, the headers of every answer, the page's files, errors. The paths of the API are in routes.ts. */

/** The page needs nothing from anywhere else, and nothing may show it in a frame. */
export const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const;

const BODY_MAX_BYTES = 64 * 1024;
const REQUEST_MS = 30_000;
const KEEP_ALIVE_MS = 65_000;

export interface ServerOptions {
  readonly access: AccessControl;
  /** Folder of the page's files; one that does not exist leaves only the API. */
  readonly page: string;
  readonly log: Logger;
  /** Adds the paths of the API. */
  readonly routes: (app: FastifyInstance, viewerOf: (request: FastifyRequest) => Viewer) => void;
  /** Answers `/metrics`: the content type and the text. */
  readonly metrics: () => Promise<{ readonly type: string; readonly text: string }>;
  /** Why the collector is not ready; null if it is. */
  readonly notReady: () => string | null;
}

export function makeServer(options: ServerOptions): FastifyInstance {
  const { access, page, log, routes, metrics, notReady } = options;
  const app = fastify({
    logger: false,
    bodyLimit: BODY_MAX_BYTES,
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 1_024, ignoreTrailingSlash: true },
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
  });
  // A form of another site can send text.
  app.removeContentTypeParser('text/plain');
  const viewers = new WeakMap<FastifyRequest, Viewer>();
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(SECURITY_HEADERS);
    const { url } = request;
    if (!url.startsWith('/api/') && !url.startsWith('/metrics')) return;
    if (url.startsWith('/api/')) reply.header('cache-control', 'no-store');
    const found = access.of(request.raw, peerOfRequest(request.raw));
    if (found.kind === 'refused') throw new ApiProblem(found.status, found.detail);
    viewers.set(request, found.viewer);
    const why = notReady();
    if (why !== null && url.startsWith(API_PREFIX)) throw new ApiProblem(503, why);
  });
  app.setErrorHandler((error, _request, reply) => {
    const problem = problemOf(error);
    if (problem.status >= 500) log.warn(`answer ${problem.status}: ${describeError(error, true)}`);
    if (problem.status === 401) reply.header('www-authenticate', 'Bearer realm="proc_box"');
    reply.code(problem.status).type('application/problem+json').send(JSON.stringify(problem));
  });
  app.get('/healthz', (_request, reply) => {
    const why = notReady();
    reply.code(why === null ? 200 : 503).send({ ready: why === null, why });
  });
  app.get('/metrics', async (request, reply) => {
    if (!viewers.get(request)?.operator)
      throw new ApiProblem(403, 'only operators may read /metrics; --metrics-listen serves it without authentication');
    const { type, text } = await metrics();
    reply.header('content-type', type).send(text);
  });
  routes(app, (request) => viewers.get(request)!);
  addPage(app, page, access);
  return app;
}

/** The page's files are no secret. A path that is no file is one of the page's own links: it gets the page. */
function addPage(app: FastifyInstance, folder: string, access: AccessControl): void {
  const hasPage = existsSync(folder);
  if (hasPage) app.register(fastifyStatic, { root: folder, wildcard: false, index: false, cacheControl: false });
  const show = (request: FastifyRequest, reply: FastifyReply) => {
    const url = new URL(request.url, 'http://localhost');
    if (url.pathname.startsWith('/api/') || request.method !== 'GET')
      throw new ApiProblem(404, `there is no ${request.method} ${url.pathname}`);
    const token = url.searchParams.get('token');
    if (token !== null) {
      if (access.userOfToken(token) === null)
        throw new ApiProblem(401, "this token is not valid: open the address in the collector's log");
      const secure = request.headers['x-forwarded-proto'] === 'https' ? '; Secure' : '';
      url.searchParams.delete('token');
      reply.header('set-cookie', `${TOKEN_COOKIE}=${token}; HttpOnly; SameSite=Lax; Path=/; Max-Age=31536000${secure}`);
      // `//host` would be an address elsewhere.
      return reply.redirect(`/${url.pathname.replace(/^\/+/, '')}${url.search}`, 303);
    }
    if (!hasPage) throw new ApiProblem(404, 'this installation does not include the page: the API is at /api/v1');
    return reply.header('cache-control', 'no-cache').sendFile('index.html');
  };
  app.get('/', show);
  app.setNotFoundHandler(show);
}

function peerOfRequest({ socket }: IncomingMessage): Peer {
  const address = socket.remoteAddress;
  if (address !== undefined) return { address, uid: undefined };
  try {
    return { address: undefined, uid: peerOf(descriptorOf(socket)).uid };
  } catch {
    return { address: undefined, uid: undefined }; // the other end has gone
  }
}

/** Node has no public name for it. */
function descriptorOf(socket: Socket): number {
  return (socket as unknown as { _handle?: { fd?: number } })._handle?.fd ?? -1;
}

const FAILED: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process is listening there: choose another port',
  EADDRNOTAVAIL: 'this host has no such address',
  EACCES: 'this user may not listen there',
};

/** @returns the address that it listens at. @throws EnvironmentError */
export function listenAt(app: FastifyInstance, at: ListenAt, option: string): Promise<string> {
  return naming(option, at, async () => {
    if (at.kind === 'tcp') return await app.listen({ host: at.host, port: at.port });
    await app.ready();
    await listening(app.server, { fd: listenUnix(at.path, true, true) });
    return at.path;
  });
}

/** The same for a server without the framework. @throws EnvironmentError */
export function listenPlain(server: Server, at: ListenAt, option: string): Promise<void> {
  return naming(option, at, () => listening(server, at.kind === 'tcp' ? at : { fd: listenUnix(at.path, true, true) }));
}

async function naming<Result>(option: string, at: ListenAt, listen: () => Promise<Result>): Promise<Result> {
  try {
    return await listen();
  } catch (cause) {
    const { code = '', refused = '', message } = cause as NodeJS.ErrnoException & { refused?: string };
    const where = at.kind === 'tcp' ? `${at.host}:${at.port}` : at.path;
    throw new EnvironmentError(`${option} ${where}: ${FAILED[code] ?? (refused || message)}`, { cause });
  }
}

/** A server of /metrics alone, without authentication. */
export function metricsServer(metrics: ServerOptions['metrics'], log: Logger): Server {
  return createServer({ requestTimeout: REQUEST_MS }, (request, response) => {
    if (request.url?.split('?')[0] !== '/metrics' || request.method !== 'GET')
      return void response.writeHead(404).end();
    metrics().then(
      ({ type, text }) => response.writeHead(200, { 'content-type': type }).end(text),
      (error) => {
        log.warn(`answer /metrics: ${describeError(error, true)}`);
        response.writeHead(500).end();
      },
    );
  });
}

function listening(
  server: Server,
  at: { readonly fd: number } | { readonly host: string; readonly port: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(at, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
