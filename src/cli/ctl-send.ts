import amqp from 'amqplib';
import { randomHex } from 'cgroup-utils-native';
import { credentialsOf, type Endpoint, endpointOf } from '../amqp/config.js';
import { describe } from '../amqp/failure.js';
import { keySegment } from '../amqp/keys.js';
import { BrokerError, SpecError } from '../errors.js';
import type { CtlRequest } from './ctl-options.js';
import { signCommand } from './sign.js';
import '../amqp/handshake.js';

/**
 * One command over the wire. `mandatory` tells when no box listens; the expiration keeps a box that was away from
 * carrying out a command that nobody waits for any more; direct reply-to needs no queue and no permission to make one.
 */

/** What came of a command, and to whom it went. */
export interface Sent {
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

const CONNECT_TIMEOUT_MS = 5_000;
const CLOSE_TIMEOUT_MS = 500;
/** Of a command for which no answer is waited. */
const UNWATCHED_EXPIRATION_MS = 60_000;
const DIRECT = 'amq.rabbitmq.reply-to';

/**
 * Sends to the first address that the broker lets us publish to.
 * @param requests the same command, by one address or another
 * @throws BrokerError where none of the brokers can be used, or the one in use fails
 */
export async function sendCommand(
  requests: readonly CtlRequest[],
  messageId: string,
  onAnswer: SendOptions['onAnswer'],
): Promise<Sent> {
  for (const [index, request] of requests.entries()) {
    const { command, signKey, waitMs } = request;
    const body =
      signKey === undefined ? JSON.stringify(command) : await signCommand(command, signKey, messageId, waitMs);
    try {
      return { outcome: await send({ request, messageId, body, onAnswer }), request };
    } catch (error) {
      const notPermitted = /ACCESS_REFUSED - access to topic/.test(String((error as Error).cause));
      if (!notPermitted || index === requests.length - 1) throw error;
    }
  }
  throw new SpecError('no address was given');
}

async function send(options: SendOptions): Promise<SendOutcome> {
  const { endpoint, connection } = await connectFirst(options.request);
  let fail: (error: unknown) => void = () => {};
  const broken = new Promise<never>((_, reject) => {
    fail = (error) => reject(new BrokerError(describe(error, endpoint).text, { cause: error }));
  });
  // Raced below; and without a listener an 'error' would end the process.
  broken.catch(toldByTheRace);
  connection.on('error', fail);
  connection.on('close', () => fail(new Error('Unexpected close')));
  try {
    return await Promise.race([converse(connection, endpoint, options, fail), broken]);
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
}

/** amqplib's IllegalOperationError, where the broker has closed it already, says nothing that was not told. */
async function leave(connection: amqp.ChannelModel): Promise<void> {
  await Promise.race([connection.close().catch(toldByTheRace), sleep(CLOSE_TIMEOUT_MS)]);
}

/** Somebody else waits for the same end and words it. */
function toldByTheRace(): void {}

/** Logs in and out again. @returns which broker it is. @throws BrokerError */
export async function tryBroker(request: Pick<CtlRequest, 'uris' | 'socketOptions'>): Promise<string> {
  const { endpoint, connection } = await connectFirst(request);
  const { product, version } = connection.connection.serverProperties;
  connection.on('error', () => {});
  await leave(connection);
  return `${endpoint.shown}: ${product} ${version}`;
}

/** The first broker that lets us in. @throws BrokerError with the reason of each */
async function connectFirst({
  uris,
  socketOptions,
}: Pick<CtlRequest, 'uris' | 'socketOptions'>): Promise<{ endpoint: Endpoint; connection: amqp.ChannelModel }> {
  const failures: string[] = [];
  for (const uri of uris) {
    const endpoint = endpointOf(uri);
    try {
      const connection = await amqp.connect(endpoint.uri, {
        timeout: CONNECT_TIMEOUT_MS,
        ...socketOptions,
        noDelay: true,
        credentials: credentialsOf(endpoint),
        clientProperties: { product: 'proc_box', connection_name: 'proc_box ctl' },
      });
      return { endpoint, connection };
    } catch (error) {
      failures.push(describe(error, endpoint).text);
    }
  }
  throw new BrokerError(failures.join('; '));
}

async function converse(
  connection: amqp.ChannelModel,
  endpoint: Endpoint,
  { request, messageId, body, onAnswer }: SendOptions,
  fail: (error: unknown) => void,
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

  const deadline = performance.now() + waitMs;
  for (;;) {
    returned = false;
    // The broker hands back before it confirms.
    await publish(
      channel,
      request,
      body,
      properties(request, messageId, replyTo, endpoint, deadline - performance.now()),
    );
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
  const expirationMs = waitMs === 0 ? UNWATCHED_EXPIRATION_MS : Math.max(1, Math.ceil(leftMs));
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
    setTimeout(resolve, ms);
  });
}
