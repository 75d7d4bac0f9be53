import { randomBytes } from 'node:crypto';
import type { Logger } from '../../../log.js';
import { findCommand } from '../../../options/table/commands.js';
import type { CommandRecord, CommandRequest, CommandResult } from '../../model/api.js';
import type { Viewer } from '../auth/access.js';
import type { Boxes } from '../live/boxes.js';
import { isOfJob } from '../live/table.js';
import { ApiProblem } from './problem.js';

/** Commands to boxes: who may give which, and the audit trail. The command itself goes over the broker. */

/** Sends a command with the collector's own account or key. @throws Error with a message for people */
export type SendCommand = (request: CommandRequest, id: string, answers: number) => Promise<CommandResult>;

export interface Commanding {
  readonly boxes: Boxes;
  readonly send: SendCommand;
  /** Keeps the record; called before the command is sent, and once it is known how it ended. */
  readonly record: (record: CommandRecord) => Promise<void>;
  readonly log: Logger;
}

/** Boxes whose answers a request waits for. */
const ANSWERS_MAX = 5_000;

/** @throws ApiProblem */
export async function command(commanding: Commanding, viewer: Viewer, asked: CommandRequest): Promise<CommandResult> {
  const { boxes, record, log } = commanding;
  const { user } = viewer;
  if (!viewer.mayCommand || user === null) throw new ApiProblem(403, 'this collector is read-only (--auth none)');
  if (findCommand(asked.command) === undefined)
    throw new ApiProblem(400, `unknown command ${JSON.stringify(asked.command)}`);
  // Whatever else is named, boxes of others must not take it: a box compares every part of the target with its own identity.
  const request = viewer.operator ? asked : { ...asked, target: { ...asked.target, user } };
  const entry: CommandRecord = {
    id: `collector-${randomBytes(12).toString('hex')}`,
    at_ms: Date.now(),
    user,
    command: asked.command,
    arguments: asked.arguments ?? [],
    target: definedOf(asked.target),
    outcome: 'sending',
    answers: 0,
    refused: 0,
  };
  if (!viewer.operator && asked.target.user !== undefined && asked.target.user !== user) {
    await record({ ...entry, outcome: 'refused' });
    throw new ApiProblem(403, 'only operators may send commands to boxes of other users');
  }
  const reached = [...boxes.all()].filter((box) => box.end === null && isTarget(box.identity, request.target)).length;
  if (reached === 0) {
    await record({ ...entry, outcome: 'unroutable' });
    throw new ApiProblem(404, 'no running box matches this target');
  }
  await record(entry);
  log.info(`command ${entry.id}: ${user} sends ${asked.command} to ${JSON.stringify(request.target)}`);
  try {
    const result = await commanding.send(request, entry.id, Math.min(reached, ANSWERS_MAX));
    const refused = result.answers.filter(({ ok }) => !ok).length;
    await record({ ...entry, outcome: result.outcome, answers: result.answers.length, refused });
    return result;
  } catch (cause) {
    await record({ ...entry, outcome: 'failed' });
    const { message } = cause as Error;
    log.warn(`command ${entry.id}: ${message}`);
    throw new ApiProblem(502, message, { cause });
  }
}

type Target = CommandRequest['target'];

function isTarget(identity: Parameters<typeof definedOf>[0] & { readonly job: string }, target: Target): boolean {
  return Object.entries(target).every(([key, value]) =>
    key === 'job'
      ? identity.job === value || isOfJob(identity.job, value)
      : (identity as Record<string, unknown>)[key] === value,
  );
}

function definedOf(target: object): Record<string, string> {
  return Object.fromEntries(Object.entries(target).filter(([, value]) => typeof value === 'string'));
}
