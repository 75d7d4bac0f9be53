/** Words and small things that every screen uses. All names are foreign text: `printable` shows what a name would hide. */
import type { ComponentChildren, JSX } from 'preact';
import { printable } from '../../../text.js';
import type { BoxRow } from '../../model/api.js';
import { address } from '../data/route.js';

/** A name or text from a box, without characters that would hide or reverse what stands beside it. */
export function Name({ text }: { readonly text: string }): JSX.Element {
  return <>{printable(text)}</>;
}

/** The address of a row's job, as exact as the row knows it. */
export function jobAddress(row: {
  readonly job: string;
  readonly cluster: string | null;
  readonly user: string;
}): string {
  return address(['jobs', row.job], { cluster: row.cluster ?? undefined, user: row.user });
}

export function UserLink({ user }: { readonly user: string }): JSX.Element {
  return <a href={address(['users', user])}>{printable(user)}</a>;
}

export function HostLink({ host }: { readonly host: string }): JSX.Element {
  return <a href={address(['hosts', host])}>{printable(host)}</a>;
}

/** `step 0, task 3`; empty without either. */
export function part({ step, task }: Pick<BoxRow, 'step' | 'task'>): string {
  const parts = [step === null ? '' : `step ${step}`, task === null ? '' : `task ${task}`].filter(
    (each) => each !== '',
  );
  return printable(parts.join(', '));
}

/** A short `0.3` for a table: step and task. */
export function shortPart({ step, task }: Pick<BoxRow, 'step' | 'task'>): string {
  if (step === null && task === null) return '';
  return printable(task === null ? `${step}` : `${step ?? '–'}.${task}`);
}

const STATES: Readonly<Record<string, string>> = {
  starting: 'Starting',
  running: 'Running',
  suspended: 'Suspended',
  stopping: 'Stopping',
  ended: 'Ended',
};

/** A dot and a word; for a box that has ended, why. */
export function State({
  row,
}: {
  readonly row: Pick<BoxRow, 'state' | 'silent' | 'reason' | 'exit_status'>;
}): JSX.Element {
  if (row.state === 'ended') {
    const good = row.exit_status === 0;
    return (
      <span class={`state ended ${good ? 'good' : 'bad'}`} title={`exit status ${row.exit_status ?? 'unknown'}`}>
        {reasonWord(row.reason)}
        {row.exit_status !== null && !good && row.reason === 'exited' ? ` ${row.exit_status}` : ''}
      </span>
    );
  }
  if (row.silent) {
    return (
      <span class="state silent" title="The box has sent nothing for several sample intervals">
        Silent
      </span>
    );
  }
  return <span class={`state ${row.state}`}>{STATES[row.state] ?? printable(row.state)}</span>;
}

const REASONS: Readonly<Record<string, string>> = {
  exited: 'Exited',
  signaled: 'Signal',
  timeout: 'Time limit',
  stdoutlimit: 'Output limit',
  memory: 'Memory limit',
  oom: 'Out of memory',
  cpu: 'CPU limit',
  pids: 'Process limit',
  stopped: 'Stopped',
  killed: 'Killed',
  scheduler: 'Scheduler',
  ended: 'Ended',
  failed: 'Failed',
};

export const REASON_NAMES = Object.keys(REASONS);

/** Why a box ended, in one or two words. */
export function reasonWord(reason: string | null): string {
  if (reason === null) return 'Ended';
  return Object.hasOwn(REASONS, reason) ? (REASONS[reason] as string) : printable(reason);
}

export function Failure(props: {
  readonly title: string;
  readonly text: string;
  readonly again?: () => void;
}): JSX.Element {
  return (
    <div class="empty card" role="alert">
      <strong>{props.title}</strong>
      <p>{printable(props.text)}</p>
      {props.again && (
        <p class="more">
          <button type="button" class="button" onClick={props.again}>
            Try again
          </button>
        </p>
      )}
    </div>
  );
}

export function Empty({
  title,
  children,
}: {
  readonly title: string;
  readonly children?: ComponentChildren;
}): JSX.Element {
  return (
    <div class="empty card">
      <strong>{title}</strong>
      {children}
    </div>
  );
}

/** A figure with its name, for the strips at the top of screens. */
export function Fact({
  name,
  children,
  small,
}: {
  readonly name: string;
  readonly children: ComponentChildren;
  readonly small?: string;
}): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        {children}
        {small && <small class="under">{small}</small>}
      </dd>
    </div>
  );
}
