import { userName } from 'cgroup-utils-native';
import type { Brokers } from '../../amqp/tool-connection.js';
import { SpecError } from '../../errors.js';
import { bindingsFor, type Wanted } from '../../observe/source/bindings.js';
import type { FeedOptions } from '../../observe/source/feed.js';
import { assembleSpec } from '../../options/assemble.js';
import type { OptionName } from '../../options/table.js';
import { BOX_OPTIONS, type CtlInput, type CtlRequest, requestsFor, socketOptionsOf } from '../ctl/options.js';

/** The broker of `top`, `watch` and `report`, set as for a box. */

/** Options of a box that these verbs take as well. */
export const OBSERVED: readonly OptionName[] = [...BOX_OPTIONS, 'skey', 'ekey', 'debug'];

export interface ObservedBroker {
  readonly feed: Brokers & Pick<FeedOptions, 'exchange' | 'bindings'>;
  readonly warnings: readonly string[];
}

/** @throws SpecError, also where there is no broker */
export function brokerOf(input: CtlInput, forBox: readonly string[], wanted: Wanted): ObservedBroker {
  const { spec, warnings } = assembleSpec({
    ...input,
    words: forBox,
    command: [input.argv[1]!],
    locks: 'ignored',
    deadline: { scheduler: 'none', remainingMs: null },
  });
  if (spec.uris.length === 0) {
    throw new SpecError(
      'no broker to read from: --uri is "none", or its file is missing: give the URI with --uri or --uri-file',
    );
  }
  return {
    feed: {
      uris: spec.uris,
      socketOptions: socketOptionsOf(spec),
      exchange: spec.exchange,
      bindings: bindingsFor(spec, wanted, userName),
    },
    warnings,
  };
}

/** Which boxes a command is for. */
export type Address = Readonly<Partial<Record<'box' | 'job' | 'cluster' | 'user' | 'host', string>>>;

/**
 * A command for boxes, as `proc_box ctl` would send it.
 * @param address empty for every box
 * @param own `sign-key`, `wait` and `answers` of the verb
 * @throws SpecError
 */
export function commandFor(
  input: CtlInput,
  forBox: readonly string[],
  command: string,
  address: Address,
  own: Readonly<Partial<Record<'sign-key' | 'wait' | 'answers', string>>>,
): readonly CtlRequest[] {
  const given = Object.entries({ ...own, ...address, ...(Object.keys(address).length === 0 && { all: 'true' }) });
  const words = { own: new Map(given.filter(([, text]) => text !== undefined)) as never, forBox };
  return requestsFor(input, words, command).requests;
}
