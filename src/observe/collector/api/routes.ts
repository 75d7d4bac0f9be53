import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { API_PREFIX, type CommandRequest, type WhoAmI } from '../../model/api.js';
import { TIME_MAX_MS } from '../../model/observed.js';
import { isCrossSite, type Viewer } from '../auth/access.js';
import type { LiveBox } from '../live/box.js';
import type { Boxes } from '../live/boxes.js';
import { rowOf } from '../live/row.js';
import { isOfJob } from '../live/table.js';
import type { AuthMode } from '../options.js';
import type { Database } from '../store/database.js';
import { alerts, boxesById, commands, eventsOf, history, jobBoxes, pointsOf } from '../store/queries.js';
import { between, seriesOf, thin } from '../store/timeline.js';
import { type Commanding, command } from './commanding.js';
import { sumSeries } from './job-series.js';
import type { LiveJobs } from './live-jobs.js';
import type { LiveMessages } from './live-messages.js';
import type { LivePages } from './live-pages.js';
import { ApiProblem } from './problem.js';
import { cursorText, QueryReader, readHistory, readMessages, readTable } from './query.js';
import { EventStream } from './sse.js';
import { boxView, groupRow, groupView, jobView, type NotesOf } from './views.js';

/** The paths of the API; docs/collector-api.yaml describes each. */

export interface ApiContext {
  readonly boxes: Boxes;
  readonly database: () => Database;
  readonly pages: LivePages;
  readonly jobs: LiveJobs;
  readonly messages: LiveMessages;
  readonly commanding: Commanding;
  readonly notesOf: NotesOf;
  readonly auth: AuthMode;
  readonly version: string;
  readonly viewerOf: (request: FastifyRequest) => Viewer;
  /** Headers of every answer, for those that do not go through the framework. */
  readonly headers: Readonly<Record<string, string>>;
}

const STREAMS_MAX = 1_000;
const STREAMS_PER_USER = 64;
const GROUPS_MAX = 5_000;

export function addRoutes(app: FastifyInstance, context: ApiContext): void {
  const get = (path: string, answer: (request: FastifyRequest, viewer: Viewer, reply: FastifyReply) => unknown) =>
    app.get(`${API_PREFIX}${path}`, (request, reply) => answer(request, context.viewerOf(request), reply));
  const streams = new Streams(context);
  get('/whoami', (_request, { user, operator, mayCommand }): WhoAmI => {
    return { user, operator, may_command: mayCommand, auth: context.auth, version: context.version };
  });
  get('/boxes', ({ query }, viewer) => context.pages.page(readTable(query, visibleTo(viewer))));
  get('/boxes/stream', ({ query }, viewer, reply) => {
    const table = readTable(query, visibleTo(viewer));
    return streams.open(viewer, reply, (stream) => context.pages.watch(table, stream));
  });
  get('/messages/stream', ({ query }, viewer, reply) => {
    const choice = readMessages(query, visibleTo(viewer));
    return streams.open(viewer, reply, (stream) => context.messages.watch(choice, stream));
  });
  addBoxRoutes(get, context, streams);
  addJobRoutes(get, context, streams);
  addGroupRoutes(get, context);
  addHistoryRoutes(get, context);
  app.post(`${API_PREFIX}/commands`, { schema: { body: COMMAND_BODY } }, (request) => {
    if (isCrossSite(request.raw))
      throw new ApiProblem(403, 'the collector accepts commands only from its own page, not from other sites');
    return command(context.commanding, context.viewerOf(request), request.body as CommandRequest);
  });
}

type Get = (path: string, answer: (request: FastifyRequest, viewer: Viewer, reply: FastifyReply) => unknown) => void;

function addBoxRoutes(get: Get, context: ApiContext, streams: Streams): void {
  const boxOf = (request: FastifyRequest, viewer: Viewer) => findBox(context, viewer, parameter(request, 'box'));
  get('/boxes/:box', async (request, viewer) => boxView(await boxOf(request, viewer), Date.now(), context.notesOf));
  get('/boxes/:box/series', async (request, viewer) => {
    const { from, to, points } = readSpan(request);
    return seriesWithin(context, await boxOf(request, viewer), from, to, points);
  });
  get('/boxes/:box/events', async (request, viewer) => {
    const read = new QueryReader(request.query);
    const [after, limit] = [read.number('after_sequence', 0, 2 ** 48, 0), read.number('limit', 1, 1_000, 1_000)];
    read.done();
    return eventsOf(context.database(), [await boxOf(request, viewer)], after, limit);
  });
  get('/boxes/:box/stream', async (request, viewer, reply) => {
    const box = await boxOf(request, viewer);
    return streams.open(viewer, reply, (stream) =>
      context.jobs.watch('box', box.identity.box, [box], (one) => isVisible(viewer, one), stream),
    );
  });
}

function addJobRoutes(get: Get, context: ApiContext, streams: Streams): void {
  const readJob = (request: FastifyRequest, more: (read: QueryReader) => void = () => {}) => {
    const read = new QueryReader(request.query);
    const choice = { job: parameter(request, 'job'), cluster: read.text('cluster'), user: read.text('user') };
    more(read);
    read.done();
    return choice;
  };
  get('/jobs/:job', async (request, viewer) => {
    const choice = readJob(request);
    return jobView(choice.job, await findJob(context, viewer, choice), Date.now(), context.notesOf);
  });
  get('/jobs/:job/series', async (request, viewer) => {
    let [from, to, points, most] = [0, TIME_MAX_MS, 1_000, 16];
    const choice = readJob(request, (read) => {
      ({ from, to, points } = spanOf(read));
      most = read.number('boxes', 0, 64, 16);
    });
    return jobSeries(context, choice.job, await findJob(context, viewer, choice), { from, to, points, most });
  });
  get('/jobs/:job/events', async (request, viewer) => {
    let limit = 1_000;
    const choice = readJob(request, (read) => {
      limit = read.number('limit', 1, 1_000, 1_000);
    });
    return eventsOf(context.database(), await findJob(context, viewer, choice), 0, limit);
  });
  get('/jobs/:job/reports', async (request, viewer) => {
    const boxes = await findJob(context, viewer, readJob(request));
    return boxes.flatMap(({ report }) => (report === null ? [] : JSON.parse(report)));
  });
  get('/jobs/:job/stream', async (request, viewer, reply) => {
    const choice = readJob(request);
    const boxes = await findJob(context, viewer, choice);
    const { cluster, user } = boxes[0]!.identity;
    const isOne = ({ identity }: LiveBox) => identity.cluster === cluster && identity.user === user;
    return streams.open(viewer, reply, (stream) => context.jobs.watch('job', choice.job, boxes, isOne, stream));
  });
}

function addGroupRoutes(get: Get, { boxes }: ApiContext): void {
  const rows = (groups: Iterable<readonly [string, Iterable<LiveBox>]>, viewer: Viewer) =>
    [...groups]
      .flatMap(([name, some]) => groupRow(name, visibleOf(viewer, some)) ?? [])
      .sort((one, other) => other.memory_bytes - one.memory_bytes)
      .slice(0, GROUPS_MAX);
  const view = (request: FastifyRequest, viewer: Viewer, of: (name: string) => Iterable<LiveBox>) => {
    const name = parameter(request, 'name');
    return groupView(name, visibleOf(viewer, of(name)), Date.now());
  };
  get('/users', (_request, viewer) => rows(boxes.users(), viewer));
  get('/hosts', (_request, viewer) => rows(boxes.hosts(), viewer));
  get('/users/:name', (request, viewer) => {
    const name = parameter(request, 'name');
    if (!viewer.operator && name !== viewer.user) throw new ApiProblem(404, 'no such user, or you may not see it');
    return view(request, viewer, (user) => boxes.ofUser(user));
  });
  get('/hosts/:name', (request, viewer) => view(request, viewer, (host) => boxes.ofHost(host)));
}

function addHistoryRoutes(get: Get, context: ApiContext): void {
  get('/history', async ({ query }, viewer) => {
    const asked = readHistory(query, visibleTo(viewer));
    const found = await history(context.database(), { ...asked, limit: asked.limit + 1 });
    const shown = found.slice(0, asked.limit);
    const last = shown.at(-1);
    // What is in memory is newer than the store.
    const rows = shown.map((box) => rowOf(context.boxes.get(box.identity.box) ?? box, Date.now()));
    const more = found.length > asked.limit && last !== undefined;
    return { rows, next: more ? cursorText({ updatedMs: last.updatedMs, box: last.identity.box }) : null };
  });
  const listed = (request: FastifyRequest) => {
    const read = new QueryReader(request.query);
    const limit = read.number('limit', 1, 1_000, 100);
    read.done();
    return limit;
  };
  get('/alerts', (request, viewer) => alerts(context.database(), visibleTo(viewer), listed(request)));
  get('/commands', (request, viewer) => commands(context.database(), visibleTo(viewer), listed(request)));
}

/** Bounds how many streams there are. */
class Streams {
  readonly #context: ApiContext;
  readonly #byUser = new Map<string, number>();
  #count = 0;

  constructor(context: ApiContext) {
    this.#context = context;
  }

  /** @param begin gets the stream, and returns what ends it */
  open({ user }: Viewer, reply: FastifyReply, begin: (stream: EventStream) => () => void): FastifyReply {
    const name = user ?? '';
    const own = this.#byUser.get(name) ?? 0;
    if (this.#count >= STREAMS_MAX || own >= STREAMS_PER_USER)
      throw new ApiProblem(429, `too many open streams: ${own} are yours, of ${this.#count} in all: close some pages`);
    reply.hijack();
    this.#byUser.set(name, own + 1);
    this.#count++;
    let end = () => {};
    const stream = new EventStream(reply.raw, this.#context.headers, () => {
      this.#count--;
      const left = this.#byUser.get(name)! - 1;
      if (left === 0) this.#byUser.delete(name);
      else this.#byUser.set(name, left);
      end();
    });
    end = begin(stream);
    return reply;
  }
}

function visibleTo({ operator, user }: Viewer): string | null {
  return operator ? null : user;
}

function isVisible({ operator, user }: Viewer, { identity }: LiveBox): boolean {
  return operator || identity.user === user;
}

function visibleOf(viewer: Viewer, boxes: Iterable<LiveBox>): LiveBox[] {
  return [...boxes].filter((box) => isVisible(viewer, box));
}

function parameter(request: FastifyRequest, name: string): string {
  return (request.params as Record<string, string>)[name]!.slice(0, 256).replaceAll('\0', '\ufffd');
}

async function findBox({ boxes, database }: ApiContext, viewer: Viewer, id: string): Promise<LiveBox> {
  const box = boxes.get(id) ?? (await boxesById(database(), [id]))[0];
  if (box === undefined || box.identity.box !== id || !isVisible(viewer, box))
    throw new ApiProblem(404, 'no such box, or you may not see it');
  return box;
}

interface Choice {
  readonly job: string;
  readonly cluster: string | undefined;
  readonly user: string | undefined;
}

/** The boxes of one job, those that run first. @throws ApiProblem if there is none that the viewer sees */
async function findJob(
  { boxes, database }: ApiContext,
  viewer: Viewer,
  { job, cluster, user }: Choice,
): Promise<LiveBox[]> {
  const found = new Map<string, LiveBox>();
  for (const box of await jobBoxes(database(), job)) found.set(box.identity.box, boxes.get(box.identity.box) ?? box);
  for (const box of boxes.ofJob(job)) found.set(box.identity.box, box);
  const fitting = [...found.values()]
    .filter((box) => isVisible(viewer, box) && isOfJob(box.identity.job, job))
    .filter(
      ({ identity }) =>
        (cluster === undefined || identity.cluster === cluster) && (user === undefined || identity.user === user),
    )
    .sort((one, other) => Number(other.end === null) - Number(one.end === null) || other.updatedMs - one.updatedMs);
  const [first] = fitting;
  if (first === undefined) throw new ApiProblem(404, 'no such job, or you may not see it');
  return fitting.filter(
    ({ identity }) => identity.cluster === first.identity.cluster && identity.user === first.identity.user,
  );
}

function readSpan(request: FastifyRequest): { from: number; to: number; points: number } {
  const read = new QueryReader(request.query);
  const span = spanOf(read);
  read.done();
  return span;
}

function spanOf(read: QueryReader): { from: number; to: number; points: number } {
  return {
    from: read.number('from', 0, TIME_MAX_MS, 0),
    to: read.number('to', 0, TIME_MAX_MS, TIME_MAX_MS),
    points: read.number('points', 2, 5_000, 1_000),
  };
}

async function seriesWithin({ database }: ApiContext, box: LiveBox, from: number, to: number, most: number) {
  const { points, thinned } = await pointsOf(database(), box);
  const within = between(points, from, to);
  const shown = thin(within, most);
  const startedMs = within.byteOffset === points.byteOffset ? box.startedMs : null;
  return seriesOf(box.identity.box, shown, startedMs, thinned || shown.length < within.length);
}

async function jobSeries(
  context: ApiContext,
  job: string,
  boxes: readonly LiveBox[],
  { from, to, points, most }: { from: number; to: number; points: number; most: number },
) {
  const largest = [...boxes].sort((one, other) => rowOf(other, 0).memory_peak_bytes - rowOf(one, 0).memory_peak_bytes);
  const all = [];
  // One after the other: a job of thousands of boxes must not keep the store from others.
  for (const box of largest.slice(0, SUMMED_MAX)) all.push(await seriesWithin(context, box, from, to, points));
  return { job, sum: sumSeries(all, points), boxes: all.slice(0, most) };
}

/** Boxes whose time lines are added up. */
const SUMMED_MAX = 512;

const TARGET_KEYS = ['box', 'job', 'cluster', 'user', 'host', 'step', 'task'];
const COMMAND_BODY = {
  type: 'object',
  additionalProperties: false,
  required: ['command', 'target'],
  properties: {
    command: { type: 'string', maxLength: 64 },
    arguments: { type: 'array', maxItems: 16, items: { type: 'string', maxLength: 1024 } },
    target: {
      type: 'object',
      additionalProperties: false,
      minProperties: 1,
      properties: Object.fromEntries(TARGET_KEYS.map((key) => [key, { type: 'string', minLength: 1, maxLength: 256 }])),
    },
  },
};
