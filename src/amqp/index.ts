import type { Logger } from '../log.js';
import type { Controllable } from '../model/types.js';
import type { BoxSpec } from '../options/spec.js';
import type * as Spool from '../spool/index.js';
import { BoxLink, type BrokerLink } from './box-link.js';
import type * as Signed from './signed.js';

export type { BrokerLink, BrokerState, Closed } from './box-link.js';

/** Entry point of the bundle with a box's link to the broker, loaded after the job has started. */

/**
 * Connects in the background, and reconnects for as long as the box lives; returns at once. Does not throw for a valid
 * `spec`.
 * @param loadSigned loads the check of signatures, which only `--control-auth signed` needs
 * @param loadSpool loads the spool, once there are messages to keep on disk or to deliver from it
 */
export function connectBroker(
  spec: BoxSpec,
  box: Controllable,
  log: Logger,
  loadSigned: () => typeof Signed = notLoadable,
  loadSpool: () => typeof Spool = notLoadable,
): BrokerLink {
  return new BoxLink({ spec, box, log, loadSigned, loadSpool });
}

function notLoadable(): never {
  throw new Error('the caller gave no function that loads it');
}
