import type { Logger } from '../log.js';
import type { BoxSpec, JobIdentity } from '../options/spec.js';
import { brokerGate, type Gate, onOwnRoute, userGate } from './gate.js';
import { addressingKeys } from './keys.js';
import type * as Signed from './signed.js';

type GateSpec = Pick<BoxSpec, 'exchange' | 'routingKeys' | 'controlAuth' | 'controlRules' | 'controlKeys'>;

/** The gate that `--control-auth` puts before this box's commands. @param loadSigned loads the check of signatures */
export function gateOf(spec: GateSpec, identity: JobIdentity, log: Logger, loadSigned: () => typeof Signed): Gate {
  const gate = gateFor(spec, identity, log, loadSigned);
  return onOwnRoute(gate, spec.exchange, addressingKeys(spec.routingKeys, identity));
}

function gateFor(
  { controlAuth, controlRules, controlKeys = '' }: GateSpec,
  identity: JobIdentity,
  log: Logger,
  loadSigned: () => typeof Signed,
): Gate {
  switch (controlAuth) {
    case 'broker':
      return brokerGate(identity, Date.now);
    case 'user':
      return userGate(controlRules, identity, Date.now);
    case 'signed':
      return loadSigned().signedGate({ folder: controlKeys, identity, log });
  }
}
