/** The public API: what a program needs to host boxes itself, without the `proc_box` executable. */
import { type BrokerLink, connectBroker as connect } from './amqp/index.js';
import * as signed from './amqp/signed.js';
import type { Logger } from './log.js';
import type { Controllable } from './model/types.js';
import type { BoxSpec } from './options/spec.js';
import * as spool from './spool/index.js';

export type { BrokerLink, BrokerState } from './amqp/index.js';
export { Box, type BoxOptions } from './box/box.js';
export { EXIT, type MainExit, type Outcome } from './box/outcome.js';
export { BrokerError, EnvironmentError, SpecError, SyscallError } from './errors.js';
export { createLogger, type Logger, type LogLevel } from './log.js';
export type { BoxEvent, Exited } from './model/event.js';
export type { Sample } from './model/sample.js';
export type {
  Answer,
  BoxState,
  Command,
  Controllable,
  Outgoing,
  Reason,
  RefusalCode,
  Requester,
} from './model/types.js';
export { type Assembled, assembleSpec, type SpecInput } from './options/assemble.js';
export { systemFiles } from './options/files.js';
export type { BoxSpec, JobIdentity } from './options/spec.js';
export { jobDeadline } from './scheduler/deadline.js';
export { identifyJob } from './scheduler/identity.js';
export { formatReport } from './stats/report.js';
export { createSampler, type Sampler, type SamplerOptions } from './stats/sampler.js';

/** Connects a box in the background and keeps connecting; returns at once. Never throws once `spec` has been checked. */
export function connectBroker(spec: BoxSpec, box: Controllable, log: Logger): BrokerLink {
  return connect(
    spec,
    box,
    log,
    () => signed,
    () => spool,
  );
}
