import type { LimitTable, Sample } from '../model/sample.js';
import type { BoxState } from '../model/types.js';
import type { JobIdentity } from '../options/spec.js';
import type { WallClock } from './timer.js';

/** What a box knows of itself: the answer to the command `status`. */
export interface BoxStatus {
  readonly identity: JobIdentity;
  readonly state: BoxState;
  /** Of the main process. */
  readonly pid: number;
  /** The first word of the command. */
  readonly executable: string;
  readonly elapsed_ms: number;
  readonly suspended_ms: number;
  readonly timer: ReturnType<WallClock['status']>;
  readonly sample_interval_ms: number;
  readonly limits: LimitTable;
  readonly stdout_mode: string;
  /** State of the link to the broker. */
  readonly broker: unknown;
  /** Messages given up so far. */
  readonly dropped: number;
  readonly refused_commands: number;
  /** The last sample; null before the first. */
  readonly sample: Sample | null;
}
