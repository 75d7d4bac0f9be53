import type { Logger } from '../log.js';
import type { Controllable } from '../model/types.js';
import type { BoxSpec } from '../options/spec.js';
import type * as Spool from '../spool/index.js';
import { BoxLink, type BrokerLink } from './box-link.js';
import type * as Signed from './signed.js';

export type { BrokerLink, BrokerState, Closed } from './box-link.js';

/** Entry of the bundle that is loaded after the job was started: a box's link to the broker. */

/**
 * Connects in the background and keeps connecting; returns at once. Never throws once `spec` has been checked.
 * @param loadSigned loads what checks signatures, which only `--control-auth signed` needs
 * @param loadSpool loads what keeps messages on disk, once there are some to keep or to deliver
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
  throw new Error('nothing was given to load it with');
}
