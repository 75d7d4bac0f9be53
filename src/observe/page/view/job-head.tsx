/** The head of a job's screen: whose it is, where it runs, and what can be done to it. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { printable } from '../../../text.js';
import type { BoxRow, JobView } from '../../model/api.js';
import { when } from '../data/clock.js';
import { ACTIONS, type Action } from '../data/commands.js';
import { address } from '../data/route.js';
import { AskDialog } from './ask.js';
import { useSession } from './session.js';
import { HostLink, Name, part, State, UserLink } from './words.js';

interface Props {
  readonly job: JobView;
  readonly rows: readonly BoxRow[];
  /** The box that the screen is narrowed to. */
  readonly chosen: BoxRow | null;
  readonly choose: (box: string | null) => void;
}

export function JobHead({ job, rows, chosen, choose }: Props): JSX.Element {
  const session = useSession();
  const [asking, setAsking] = useState<Action | null>(null);
  const targets = (chosen === null ? rows : [chosen]).filter(({ state }) => state !== 'ended');
  const only = chosen ?? (rows.length === 1 ? (rows[0] as BoxRow) : null);
  return (
    <div class="screen-head">
      <div>
        <div class="crumb">
          <a href={address(['boxes'])}>Boxes</a>
          {chosen !== null && (
            <>
              {' / '}
              <button type="button" class="link" onClick={() => choose(null)}>
                Job {printable(job.job)}
              </button>
            </>
          )}
        </div>
        <h1>
          {chosen === null ? `Job ${printable(job.job)}` : `${part(chosen) || 'Box'} on ${printable(chosen.host)}`}
        </h1>
        <Facts job={job} only={only} />
      </div>
      {session?.may_command === true && targets.length > 0 && (
        <div class="actions">
          {offered(targets).map((action) => (
            <button
              type="button"
              key={action.label}
              class={`button${action.ends === true ? ' danger' : ''}`}
              onClick={() => setAsking(action)}
            >
              {action.label}
            </button>
          ))}
        </div>
      )}
      {asking !== null && (
        <AskDialog action={asking} rows={targets} single={chosen !== null} onClose={() => setAsking(null)} />
      )}
    </div>
  );
}

function Facts({ job, only }: { readonly job: JobView; readonly only: BoxRow | null }): JSX.Element {
  const now = Date.now();
  const scheduler = only?.scheduler === undefined || only.scheduler === 'none' ? null : only.scheduler;
  return (
    <p class="facts">
      {only === null ? (
        <span class={`state ${job.state}`}>{`${job.state[0]?.toUpperCase()}${job.state.slice(1)}`}</span>
      ) : (
        <State row={only} />
      )}
      <span>
        <b>user</b> <UserLink user={job.user} />
      </span>
      {job.hosts.length === 1 ? (
        <span>
          <b>host</b> <HostLink host={job.hosts[0] as string} />
        </span>
      ) : (
        <span>
          <b>hosts</b> {job.hosts.length}
        </span>
      )}
      {job.queue !== null && (
        <span>
          <b>queue</b> <Name text={job.queue} />
        </span>
      )}
      {(scheduler !== null || job.cluster !== null) && (
        <span>
          <b>{scheduler === null ? 'cluster' : printable(scheduler)}</b> <Name text={job.cluster ?? ''} />
        </span>
      )}
      {only?.executable != null && (
        <span>
          <b>runs</b>{' '}
          <code>
            <Name text={only.executable} />
          </code>
        </span>
      )}
      <span>
        <b>started</b> {when(job.started_ms, now)}
      </span>
      {job.ended_ms !== null && job.state === 'ended' && (
        <span>
          <b>ended</b> {when(job.ended_ms, now)}
        </span>
      )}
    </p>
  );
}

/** Suspended boxes can be resumed, others suspended. */
function offered(rows: readonly BoxRow[]): readonly Action[] {
  const suspended = rows.filter(({ state }) => state === 'suspended').length;
  return ACTIONS.filter(({ command }) => {
    if (command === 'suspend') return suspended < rows.length;
    if (command === 'resume') return suspended > 0;
    return true;
  });
}
