import type amqp from 'amqplib';
import { randomHex } from 'cgroup-utils-native';
import type { Endpoint } from '../../amqp/config.js';
import { alarmText, describe } from '../../amqp/failure.js';
import { keySegment } from '../../amqp/keys.js';
import { CONNECT_TIMEOUT_MS, connectFirst, leave, sleep, toldByTheRace } from '../../amqp/tool-connection.js';
import { BrokerError, SpecError } from '../../errors.js';
import { signCommand } from '../sign.js';
import type { CtlRequest } from './options.js';

/**
 * Sends one command. It is `mandatory`, so that the broker returns it if no box listens. It expires, so that a box that
 * was out of reach does not carry it out when nobody waits for it any more. Direct reply-to needs neither a queue nor
 * the permission to make one.
 */

/** How sending a command ended, and the request that was used. */
export interface CtlResult {
  readonly outcome: SendOutcome;
  readonly request: CtlRequest;
}

/**
 * `complete`: all the answers asked for have come. `waited`: the time is over. `unroutable`: no queue is bound to the
 * key.
 */
export type SendOutcome = 'complete' | 'waited' | 'unroutable';

interface SendOptions {
  readonly request: CtlRequest;
  readonly messageId: string;
  readonly body: string;
  /** @returns whether the answer counts; a box that answers twice counts once */
  readonly onAnswer: (text: string) => boolean;
}

/** Least time for the login, however short `--wait` is: it takes several round trips. */
const CONNECT_LEAST_MS = 1_000;
const LATE_MS = 100;
/** Expiration of a command without a wait for answers. */
const UNWATCHED_EXPIRATION_MS = 60_000;
/** RabbitMQ refuses a message that lives longer. */
const EXPIRATION_MAX_MS = 2 ** 32 - 1;
const DIRECT = 'amq.rabbitmq.reply-to';

/**
 * Sends a command to the first address that the broker lets us publish to, and waits for answers.
 * @param requests the same command to alternative addresses
 * @throws BrokerError if no broker can be used in time, or if the broker in use fails or does not confirm the command
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
  // It takes part in the race below. Without a listener, an 'error' event would end the process.
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
  // Only in case something hangs; `converse` watches the time by itself.
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
    throw new BrokerError(`--reply-exchange: exchange "${missing}" does not exist: ask the site to declare it`, {
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

interface Conversation {
  /** In the time of performance.now(), ms. */
  readonly deadline: number;
  readonly fail: (error: unknown) => void;
  /** Whether the broker has confirmed the command. */
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
    // The broker returns an unroutable message before it confirms it.
    await publish(
      channel,
      request,
      body,
      properties(request, messageId, replyTo, endpoint, deadline - performance.now()),
    );
    handedOver.yet = true;
    if (waitMs === 0 || (returned && resendMs === undefined)) return returned ? 'unroutable' : 'waited';
    const leftMs = Math.max(0, deadline - performance.now());
    const isLast = resendMs === undefined || resendMs >= leftMs;
    const outcome = await Promise.race([complete, sleep(isLast ? leftMs : resendMs)]);
    if (outcome === 'complete') return outcome;
    // A timer may fire a little early, so the clock does not decide this.
    if (isLast) return returned ? 'unroutable' : 'waited';
  }
}

/**
 * Prepares for answers: by direct reply-to, or through `--reply-exchange` to a queue of our own.
 * @returns the name of the queue, which is also the `reply_to` of the command
 */
async function answersTo(
  channel: amqp.ConfirmChannel,
  { replyExchange }: CtlRequest,
  { user }: Endpoint,
): Promise<string> {
  if (replyExchange === '') return DIRECT;
  // The name contains the user's, so that a site can restrict users to names and keys of their own.
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
    // The broker checks it, so the box's audit trail can name the user.
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
      // On an error the channel ends, and its own event says why.
      if (!error) resolve();
    });
  });
}
