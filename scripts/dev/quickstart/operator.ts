import { randomUUID } from 'node:crypto';
import { type ChannelModel, type ConsumeMessage, connect } from 'amqplib';

/** The answer to a command; docs/messages.md. */
export interface CommandAnswer {
  readonly ok: boolean;
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
}

/** An operator's program, built on an AMQP client alone. */
export interface Operator extends AsyncDisposable {
  /**
   * Publishes a command and waits for its answer.
   * @param key routing key of the box, e.g. `proc_box.remote_control.box.<box>`
   * @throws Error when no queue is bound to the key, or when there is no answer within 10 s
   */
  send(key: string, command: string, args?: readonly string[]): Promise<CommandAnswer>;
  /** Receives the messages of the topic exchange whose key matches, from now on. */
  consume(pattern: string, onMessage: (message: ConsumeMessage) => void): Promise<void>;
  /** Deletes a queue with what is in it. */
  removeQueue(name: string): Promise<void>;
}

const EXCHANGE = 'amq.topic';
const ANSWER_TIMEOUT_MS = 10_000;

export async function connectOperator(uri: string): Promise<Operator> {
  const connection: ChannelModel = await connect(uri, { noDelay: true });
  connection.on('error', () => {}); // every pending call fails by itself
  const channel = await connection.createChannel();
  const waiting = new Map<string, (answer: CommandAnswer | Error) => void>();
  const replies = await channel.assertQueue('', { exclusive: true });
  await channel.consume(
    replies.queue,
    (message) => {
      const id = String(message?.properties.correlationId);
      waiting.get(id)?.(JSON.parse(String(message?.content)) as CommandAnswer);
    },
    { noAck: true },
  );
  // With `mandatory` the broker returns a message for which no queue is bound, so that a mistyped key is noticed.
  channel.on('return', (message: ConsumeMessage) => {
    waiting.get(String(message.properties.messageId))?.(new Error(`no box listens on ${message.fields.routingKey}`));
  });

  return {
    async send(key, command, args = []) {
      const messageId = randomUUID();
      const answer = await new Promise<CommandAnswer | Error>((resolve) => {
        const timer = setTimeout(resolve, ANSWER_TIMEOUT_MS, new Error(`no answer to ${command} within 10 s`));
        waiting.set(messageId, (answer) => {
          clearTimeout(timer);
          resolve(answer);
        });
        channel.publish(EXCHANGE, key, Buffer.from(JSON.stringify({ command, arguments: args })), {
          mandatory: true,
          messageId,
          correlationId: messageId,
          replyTo: replies.queue,
          expiration: String(ANSWER_TIMEOUT_MS),
          contentType: 'application/json',
        });
      });
      waiting.delete(messageId);
      if (answer instanceof Error) throw answer;
      return answer;
    },
    async consume(pattern, onMessage) {
      const { queue } = await channel.assertQueue('', { exclusive: true });
      await channel.bindQueue(queue, EXCHANGE, pattern);
      await channel.consume(queue, (message) => message && onMessage(message), { noAck: true });
    },
    async removeQueue(name) {
      await channel.deleteQueue(name);
    },
    async [Symbol.asyncDispose]() {
      await connection.close();
    },
  };
}
