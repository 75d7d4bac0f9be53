import { join } from 'node:path';
import { userName } from 'cgroup-utils-native';
import { keepLargeHeapSmall } from '../amqp/heap.js';
import { EXIT } from '../box/outcome.js';
import { describeError } from '../errors.js';
import { createLogger } from '../log.js';
import type { SendCommand } from '../observe/collector/api/commanding.js';
import { collectorHelp } from '../observe/collector/help.js';
import { type CollectorOptions, parseCollector } from '../observe/collector/options.js';
import type * as OtelBundle from '../observe/collector/otel/otel.js';
import { serve } from '../observe/collector/run.js';
import type { CommandRequest, CommandResult } from '../observe/model/api.js';
import type { SpecInput } from '../options/assemble.js';
import { readSecret, systemFiles } from '../options/files.js';
import { print } from '../print.js';
import { addressesOf } from './ctl/address.js';
import { parseAnswer } from './ctl/answer.js';
import { socketOptionsOf } from './ctl/options.js';
import { sendCommand } from './ctl/send.js';
import { parseSignKey, type SignKey } from './sign.js';

/** Entry point of the bundle with the collector: `proc_box collector`. */

export interface CollectorInput extends Omit<SpecInput, 'words' | 'command' | 'deadline'> {
  readonly argv: readonly string[];
  readonly debug: boolean;
  readonly version: string;
  /** require() of the bundle. */
  readonly load: (name: string) => unknown;
  readonly loadOtel: () => typeof OtelBundle;
  /** Folder of the bundles. */
  readonly dist: string;
}

const ENDING = ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const;
/** Would otherwise end the process, or open a debugger. */
const WITHOUT_EFFECT = ['SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGTSTP', 'SIGPIPE'] as const;
const ANSWER_WAIT_MS = 5_000;

/** Never rejects. @returns the exit status */
export async function runCollector(input: CollectorInput): Promise<number> {
  const log = createLogger(input.debug ? 'debug' : 'info');
  try {
    const options = parseCollector(input.argv, input, process.env);
    if (options === null) return print(collectorHelp());
    for (const warning of options.warnings) log.warn(warning);
    await serve({
      options,
      version: input.version,
      page: join(input.dist, 'page'),
      load: input.load,
      send: sender(options),
      loadOtel: input.loadOtel,
      log,
      told: untilTold(),
      onReady() {
        keepLargeHeapSmall(log);
        log.info('the collector is receiving messages');
      },
    });
    return 0;
  } catch (error) {
    log.error(describeError(error, input.debug));
    return EXIT.failed;
  }
}

/** From now on no signal ends this process by itself. */
function untilTold(): Promise<string> {
  for (const signal of WITHOUT_EFFECT) process.on(signal, () => {});
  return new Promise((resolve) => {
    for (const signal of ENDING) process.on(signal, () => resolve(signal));
  });
}

/** Sends commands as `proc_box ctl` does, with the account or the key of the collector. @throws SpecError for a bad key */
export function sender(options: CollectorOptions): SendCommand {
  const { spec } = options;
  const signKey: SignKey | undefined =
    options.signKey === undefined
      ? undefined
      : parseSignKey(readSecret(systemFiles(), options.signKey, '--sign-key'), `--sign-key: ${options.signKey}`);
  return async (request: CommandRequest, id: string, wanted: number): Promise<CommandResult> => {
    const given = new Map(Object.entries(request.target));
    const addresses = addressesOf(given, false, spec.routingKeys, userName);
    const requests = addresses.map(({ routingKey, target, all }) => {
      // A signed command must name its boxes itself, since anybody could publish it again with another routing key.
      const named = signKey === undefined ? target : all;
      const { command, arguments: args = [] } = request;
      return {
        uris: spec.uris,
        socketOptions: socketOptionsOf(spec),
        exchange: spec.exchange,
        replyExchange: spec.replyExchange,
        routingKey,
        command: { command, ...(args.length > 0 && { arguments: args }), ...(named && { target: named }) },
        signKey,
        messageId: id,
        waitMs: ANSWER_WAIT_MS,
        answers: wanted,
        resendMs: undefined,
        json: false,
      };
    });
    const answers = new Map<string, CommandResult['answers'][number]>();
    const { outcome } = await sendCommand(requests, id, (text) => {
      const answer = parseAnswer(text);
      if (answer === undefined || answers.has(answer.box)) return false;
      const { ok, box, host, job, result, error } = answer;
      answers.set(box, { ok, box, host, job, ...(result !== undefined && { result }), ...(error && { error }) });
      return true;
    });
    return { id, outcome, answers: [...answers.values()] };
  };
}
