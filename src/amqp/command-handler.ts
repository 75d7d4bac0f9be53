import type { Logger } from '../log.js';
import type { Answer, Controllable, Requester } from '../model/types.js';
import { findCommand } from '../options/table/commands.js';
import { withUserData } from '../options/verbatim.js';
import { quote } from '../options/words.js';
import { toCommand } from './command.js';
import { askedFor, CommandMemory } from './command-memory.js';
import type { Admitted, Gate } from './gate.js';
import { type CommandRequest, type Delivery, type Refusal, refuse, replayed } from './message.js';
import type { AckOrNack } from './rascal.js';
import type { Reply } from './replies.js';

/** Commands that the box has not answered yet. At this number the broker keeps further ones. */
const PENDING_MAX = 64;
const TOO_MANY = 'too many commands wait for this box: send it again later';

/**
 * Handles the deliveries of the control queue; never throws, always acknowledges. It gives a command to the box before
 * it does anything else and acknowledges at once, so that a `kill` does not wait for the answer to a slow earlier
 * command.
 */
export class CommandHandler {
  #pending = 0;
  #waiting: AckOrNack[] = [];
  #replySequence = 0;
  #refused = 0;
  #givingUp = 0;

  constructor(
    readonly box: Controllable,
    readonly gate: Gate,
    readonly reply: (reply: Reply) => void,
    readonly log: Logger,
    /** Codes of refusals that the log has named; boxes with one log share it. */
    readonly logged = new Set<string>(),
    readonly memory = new CommandMemory(),
  ) {}

  /** Messages refused so far. */
  get refused(): number {
    return this.#refused;
  }

  /** Call this for a new connection: acknowledgements of the last one mean nothing on it. */
  reset(): void {
    this.#waiting = [];
  }

  readonly handle = (delivery: Delivery, ack: AckOrNack): void => {
    try {
      const admitted = this.gate(delivery);
      if (admitted instanceof Promise) this.#dispatchLater(admitted, delivery);
      else this.#dispatch(admitted, delivery);
    } catch (error) {
      this.#failed(error);
    }
    if (this.#pending < PENDING_MAX) acknowledge(ack);
    else this.#waiting.push(ack);
  };

  /** Refuses a command that can wait no longer, if this box is meant. Where that takes time, a flood is only counted. */
  giveUp(delivery: Delivery): void {
    if (this.#givingUp >= PENDING_MAX) {
      this.#refused++;
      return;
    }
    try {
      const admitted = this.gate(delivery);
      if (!(admitted instanceof Promise)) return this.#turnDown(admitted, delivery);
      this.#givingUp++;
      void admitted
        .then((value) => this.#turnDown(value, delivery))
        .catch((error) => this.#failed(error))
        .finally(() => this.#givingUp--);
    } catch (error) {
      this.#failed(error);
    }
  }

  #turnDown({ outcome, by }: Admitted, delivery: Delivery): void {
    const isMeant = outcome.kind === 'request';
    const refusal = isMeant ? refuse('not_possible', TOO_MANY, outcome.name, outcome.args) : outcome;
    this.#dispatch({ outcome: refusal, by }, delivery);
  }

  #dispatchLater(admitted: Promise<Admitted>, delivery: Delivery): void {
    this.#pending++;
    void admitted
      .then((value) => this.#dispatch(value, delivery))
      .catch((error) => this.#failed(error))
      .finally(() => this.#settled());
  }

  #dispatch({ outcome, by }: Admitted, { properties }: Delivery): void {
    if (outcome.kind === 'refusal') this.#refuse(outcome, by, properties);
    else if (outcome.kind === 'request') this.#carryOut(outcome, by, properties);
  }

  #failed(error: unknown): void {
    this.log.error(`control: ${(error as Error).message}`);
  }

  #carryOut(request: CommandRequest, by: Requester, properties: Delivery['properties']): void {
    const key = by.messageId === undefined ? undefined : `${by.user ?? ''}\0${by.key ?? ''}\0${by.messageId}`;
    const asked = askedFor(request.name, request.args);
    const before = key === undefined ? undefined : this.memory.get(key);
    if (before !== undefined && before.asked !== asked) {
      this.#refuse(reused(request, by), by, properties);
      return;
    }
    let answer = before?.answer;
    if (answer === undefined) {
      const command = request.repeated ? replayed(request) : toCommand(request);
      if ('kind' in command) {
        this.#refuse(command, by, properties);
        return;
      }
      const execute = () => this.#execute(() => this.box.execute(command, by));
      const onlyAsks = findCommand(request.name)?.onlyAsks;
      answer = key === undefined ? execute() : this.memory.remember(key, asked, execute, onlyAsks);
    }
    this.#whenAnswered(answer, request.name, properties);
  }

  /** The box promises neither to throw nor to reject. If it does all the same, the job must go on. */
  #execute(run: () => Promise<Answer>): Promise<Answer> {
    const failed = (error: unknown): Answer => {
      this.log.error(`control: a command failed: ${(error as Error).message}`);
      return { ok: false, error: { code: 'failed', message: 'internal error; the log of proc_box has it' } };
    };
    try {
      return run().catch(failed);
    } catch (error) {
      return Promise.resolve(failed(error));
    }
  }

  #whenAnswered(answer: Promise<Answer>, command: string, properties: Delivery['properties']): void {
    this.#pending++;
    void answer.then((value) => {
      this.#settled();
      this.#answer(value, command, properties);
    });
  }

  #settled(): void {
    this.#pending--;
    const ack = this.#waiting.shift();
    if (ack !== undefined) acknowledge(ack);
  }

  #refuse(refusal: Refusal, by: Requester, properties: Delivery['properties']): void {
    const { answer, name, args, detail } = refusal;
    this.#refused++;
    const of = by.user === undefined ? '' : ` of ${JSON.stringify(by.user)}`;
    const text = `refused a message${of}: ${answer.error.message}${detail === undefined ? '' : ` (${detail})`}`;
    if (this.logged.has(answer.error.code)) this.log.debug(text);
    else this.log.warn(`${text} (further ones with code ${answer.error.code} are only counted)`);
    this.logged.add(answer.error.code);
    this.box.refused(answer, by, name, args);
    this.#answer(answer, name, properties);
  }

  #answer(answer: Answer, command: string, { replyTo, correlationId, messageId }: Delivery['properties']): void {
    if (typeof replyTo !== 'string' || replyTo === '') return;
    const { box, host, job } = this.box.identity;
    const outcome = answer.ok ? { result: answer.result ?? null } : { error: answer.error };
    const id = correlationId ?? messageId;
    this.reply({
      replyTo,
      correlationId: typeof id === 'string' ? id : undefined,
      messageId: `${box}-r${++this.#replySequence}`,
      body: toJson({ ok: answer.ok, box, host, job, command, ...outcome }),
    });
  }
}

function reused({ name, args }: CommandRequest, { messageId = '' }: Requester): Refusal {
  const message = `message id ${quote(messageId)} was used for another command: give each command an id of its own`;
  return refuse('bad_message', message, name, args);
}

function acknowledge(ack: AckOrNack): void {
  // If the channel has gone, so has the message, because its queue was exclusive.
  ack(() => {});
}

function toJson(value: object): string {
  let userData: unknown;
  const json = JSON.stringify(value, (name, field) => {
    if (name === 'UserData') userData ??= field;
    return typeof field === 'bigint' ? Number(field) : field;
  });
  return withUserData(json, userData);
}
