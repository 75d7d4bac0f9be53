import amqp from 'amqplib';
import { randomHex } from 'cgroup-utils-native';
import { credentialsOf, type Endpoint, endpointOf } from '../../amqp/config.js';
import { alarmText, describe } from '../../amqp/failure.js';
import { keySegment } from '../../amqp/keys.js';
import { after } from '../../delay.js';
import { BrokerError, SpecError } from '../../errors.js';
import { signCommand } from '../sign.js';
import type { CtlRequest } from './options.js';
import '../../amqp/handshake.js';

/**
 * One command over the wire. `mandatory` tells when no box listens; the expiration keeps a box that was away from
 * carrying out a command that nobody waits for any more; direct reply-to needs no queue and no permission to make one.
 */

/** What came of a command, and to whom it went. */
export interface CtlResult {
  readonly outcome: SendOutcome;
  readonly request: CtlRequest;
}

/** `complete`: as many answers as asked for. `waited`: the time is over. `unroutable`: no queue is bound to the key. */
export type SendOutcome = 'complete' | 'waited' | 'unroutable';

interface SendOptions {
  readonly request: CtlRequest;
  readonly messageId: string;
  readonly body: string;
  /** @returns whether the answer counts; a box that answers twice counts once */
  readonly onAnswer: (text: string) => boolean;
}

/** To be let in, and, of a command for which no answer is waited, to hand it over. */
const CONNECT_TIMEOUT_MS = 5_000;
/** Of `--wait`: a login takes several round trips. */
const CONNECT_LEAST_MS = 1_000;
const LATE_MS = 100;
const CLOSE_TIMEOUT_MS = 500;
/** Of `proc_box check`. */
const CHECK_TIMEOUT_MS = 10_000;
/** Of a command for which no answer is waited. */
const UNWATCHED_EXPIRATION_MS = 60_000;
/** RabbitMQ refuses a message that lives longer. */
const EXPIRATION_MAX_MS = 2 ** 32 - 1;
const DIRECT = 'amq.rabbitmq.reply-to';

/**
 * Sends to the first address that the broker lets us publish to.
 * @param requests the same command, by one address or another
 * @throws BrokerError where none of the brokers can be used in time, or the one in use fails or takes nothing
 */
export async function sendCommand(
  requests: readonly CtlRequest[],
  messageId: string,
  onAnswer: SendOptions['onAnswer'],
): Promise<CtlResult> {
  for (const [index, request] of requests.entries()) {
    const { command, signKey, waitMs } = request;
    const body =
      signKey === undefined ? JSON.stringify(command) : await signCommand(command, signKey, messageId, waitMs);
    try {
      return { outcome: await send({ request, messageId, body, onAnswer }), request };
    } catch (error) {
      const notPermitted = /ACCESS_REFUSED - .*access to topic/.test(String((error as Error).cause));
      if (!notPermitted || index === requests.length - 1) throw error;
    }
  }
  throw new SpecError('no address was given');
}

async function send(options: SendOptions): Promise<SendOutcome> {
  const { request } = options;
  const waitMs = request.waitMs || CONNECT_TIMEOUT_MS;
  const { endpoint, connection } = await connectFirst(request, Math.max(CONNECT_LEAST_MS, waitMs));
  const deadline = performance.now() + waitMs;
  let fail: (error: unknown) => void = () => {};
  const broken = new Promise<never>((_, reject) => {
    fail = (error) => reject(new BrokerError(describe(error, endpoint).text, { cause: error }));
  });
  // Raced below; and without a listener an 'error' would end the process.
  broken.catch(toldByTheRace);
  connection.on('error', fail);
  connection.on('close', () => fail(new Error('Unexpected close')));
  let alarm: string | undefined;
  connection.on('blocked', (reason: unknown) => {
    alarm = alarmText(reason);
  });
  connection.on('unblocked', () => {
    alarm = undefined;
  });
  const handedOver = { yet: false };
  // `converse` looks at the time by itself where nothing hangs.
  const late = sleep(waitMs + LATE_MS).then(() => (handedOver.yet ? 'waited' : 'late'));
  try {
    const outcome = await Promise.race([
      converse(connection, endpoint, options, { deadline, fail, handedOver }),
      broken,
      late,
    ]);
    if (outcome !== 'late') return outcome;
  } catch (error) {
    const missing = /NOT_FOUND - no exchange '(.*?)'/.exec(String((error as Error).cause))?.[1];
    if (missing === undefined) throw error;
    if (missing !== options.request.replyExchange) return 'unroutable';
    throw new BrokerError(`--reply-exchange: there is no exchange "${missing}": it is for the site to declare`, {
      cause: error,
    });
  } finally {
    await leave(connection);
  }
  const why = alarm ?? 'it has not confirmed the command';
  throw new BrokerError(
    `broker ${endpoint.shown}: ${why}; given up after ${waitMs / 1000} s (--wait); the command may still be carried out`,
  );
}

/** amqplib's IllegalOperationError, where the broker has closed it already, says nothing that was not told. */
async function leave(connection: amqp.ChannelModel): Promise<void> {
  await Promise.race([connection.close().catch(toldByTheRace), sleep(CLOSE_TIMEOUT_MS)]);
}

/** Somebody else waits for the same end and words it. */
function toldByTheRace(): void {}

/** Logs in and out again. @returns which broker it is. @throws BrokerError */
export async function tryBroker(request: Pick<CtlRequest, 'uris' | 'socketOptions'>): Promise<string> {
  const { endpoint, connection } = await connectFirst(request, CHECK_TIMEOUT_MS);
  const { product, version } = connection.connection.serverProperties;
  connection.on('error', () => {});
  await leave(connection);
  return `${endpoint.shown}: ${product} ${version}`;
}

/**
 * The first broker that lets us in; where there are others to try, each has an equal part of what is left of the time.
 * @throws BrokerError with the reason of each
 */
async function connectFirst(
  { uris, socketOptions }: Pick<CtlRequest, 'uris' | 'socketOptions'>,
  mostMs: number,
): Promise<{ endpoint: Endpoint; connection: amqp.ChannelModel }> {
  const failures: string[] = [];
  const deadline = performance.now() + mostMs;
  for (const [index, uri] of uris.entries()) {
    const endpoint = endpointOf(uri);
    const leftMs = (deadline - performance.now()) / (uris.length - index);
    try {
      return {
        endpoint,
        connection: await connect(endpoint, socketOptions, Math.max(1, Math.min(CONNECT_TIMEOUT_MS, leftMs))),
      };
    } catch (error) {
      failures.push(describe(error, endpoint).text);
    }
  }
  throw new BrokerError(failures.join('; '));
}

/** amqplib's own timeout starts anew with each byte, and a TLS handshake or a login may hang as well. */
async function connect(
  endpoint: Endpoint,
  socketOptions: CtlRequest['socketOptions'],
  timeoutMs: number,
): Promise<amqp.ChannelModel> {
  const abort = new AbortController();
  const options = {
    timeout: timeoutMs,
    ...socketOptions,
    noDelay: true,
    credentials: credentialsOf(endpoint),
    clientProperties: { product: 'proc_box', connection_name: 'proc_box ctl' },
    signal: abort.signal,
  };
  const connecting = amqp.connect(endpoint.uri, options);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no answer within ${timeoutMs} ms`));
      abort.abort();
    }, timeoutMs);
  });
  connecting.catch(toldByTheRace);
  try {
    return await Promise.race([connecting, late]);
  } finally {
    clearTimeout(timer);
  }
}

interface Conversation {
  /** On performance.now(). */
  readonly deadline: number;
  readonly fail: (error: unknown) => void;
  /** Whether the broker has got the command. */
  readonly handedOver: { yet: boolean };
}

async function converse(
  connection: amqp.ChannelModel,
  endpoint: Endpoint,
  { request, messageId, body, onAnswer }: SendOptions,
  { deadline, fail, handedOver }: Conversation,
): Promise<SendOutcome> {
  const { waitMs, resendMs, answers } = request;
  const channel = await connection.createConfirmChannel();
  channel.on('error', fail);
  let returned = false;
  channel.on('return', () => {
    returned = true;
  });
  let counted = 0;
  let enough = () => {};
  const complete = new Promise<'complete'>((resolve) => {
    enough = () => resolve('complete');
  });
  const take = (message: amqp.ConsumeMessage | null) => {
    if (message === null || message.properties.correlationId !== messageId) return;
    if (onAnswer(message.content.toString())) counted++;
    if (answers !== undefined && counted >= answers) enough();
  };
  const replyTo = waitMs === 0 ? undefined : await answersTo(channel, request, endpoint);
  if (replyTo !== undefined) await channel.consume(replyTo, take, { noAck: true });

  for (;;) {
    returned = false;
    // The broker hands back before it confirms.
    await publish(
      channel,
      request,
      body,
      properties(request, messageId, replyTo, endpoint, deadline - performance.now()),
    );
    handedOver.yet = true;
    if (waitMs === 0 || (returned && resendMs === undefined)) return returned ? 'unroutable' : 'waited';
    const leftMs = Math.max(0, deadline - performance.now());
    const outcome = await Promise.race([complete, sleep(Math.min(resendMs ?? leftMs, leftMs))]);
    if (outcome === 'complete') return outcome;
    if (performance.now() >= deadline) return returned ? 'unroutable' : 'waited';
  }
}

/**
 * Where answers go: direct reply-to, or through `--reply-exchange` to a queue of ours.
 * @returns the queue, and with it the `reply_to` of the command
 */
async function answersTo(
  channel: amqp.ConfirmChannel,
  { replyExchange }: CtlRequest,
  { user }: Endpoint,
): Promise<string> {
  if (replyExchange === '') return DIRECT;
  // A site lets each user have names and keys of his own.
  const name = `proc_box.reply.${keySegment(user)}.${randomHex(8)}`;
  await channel.assertQueue(name, { exclusive: true, durable: false, autoDelete: true });
  await channel.bindQueue(name, replyExchange, name);
  return name;
}

function properties(
  { waitMs, signKey }: CtlRequest,
  messageId: string,
  replyTo: string | undefined,
  { user }: Endpoint,
  leftMs: number,
): amqp.Options.Publish {
  const expirationMs =
    waitMs === 0 ? UNWATCHED_EXPIRATION_MS : Math.min(EXPIRATION_MAX_MS, Math.max(1, Math.ceil(leftMs)));
  return {
    mandatory: true,
    messageId,
    correlationId: messageId,
    ...(replyTo !== undefined && { replyTo }),
    contentType: signKey === undefined ? 'application/json' : 'application/jose',
    type: 'proc_box.command',
    appId: 'proc_box ctl',
    timestamp: Math.floor(Date.now() / 1000),
    expiration: String(expirationMs),
    // The broker checks it, so the audit trail of the box can say who asked.
    ...(user !== '' && { userId: user }),
  };
}

function publish(
  channel: amqp.ConfirmChannel,
  { exchange, routingKey }: CtlRequest,
  body: string,
  options: amqp.Options.Publish,
): Promise<void> {
  return new Promise((resolve) => {
    channel.publish(exchange, routingKey, Buffer.from(body), options, (error) => {
      // An error is that of the channel, which says why.
      if (!error) resolve();
    });
  });
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    after(ms, resolve);
  });
}
