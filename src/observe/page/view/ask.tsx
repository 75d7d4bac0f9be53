/** The question before a command, and the answers of the boxes after it. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { printable } from '../../../text.js';
import type { BoxRow, CommandAnswer, CommandResult } from '../../model/api.js';
import { apiPath } from '../data/api.js';
import { type Action, commandTargets, question } from '../data/commands.js';
import { Dialog } from './dialog.js';
import { ApiFailure, postJson } from './fetch.js';
import { Name, part } from './words.js';

interface Props {
  readonly action: Action;
  /** The boxes that are meant; at least one. */
  readonly rows: readonly BoxRow[];
  /** Whether a single box was chosen, and not its whole job. */
  readonly single: boolean;
  readonly onClose: () => void;
}

type Phase =
  | { readonly name: 'asking' }
  | { readonly name: 'sending' }
  | { readonly name: 'done'; readonly answers: readonly CommandAnswer[]; readonly failure: string | null };

export function AskDialog({ action, rows, single, onClose }: Props): JSX.Element {
  const [phase, setPhase] = useState<Phase>({ name: 'asking' });
  const [value, setValue] = useState('');
  const first = rows[0] as BoxRow;
  const what = single ? `${part(first) || first.box} on ${first.host}` : `of job ${first.job}`;
  const title = printable(question(action, rows.length, what));
  const send = async () => {
    setPhase({ name: 'sending' });
    setPhase({ name: 'done', ...(await sendAll(action, rows, single, value)) });
  };
  return (
    <Dialog title={phase.name === 'done' ? `${action.label}: answers` : title} onClose={onClose}>
      {phase.name === 'done' ? (
        <Answers {...phase} asked={rows.length} onClose={onClose} />
      ) : (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void send();
          }}
        >
          <p>{action.means}</p>
          <Targets rows={rows} />
          {action.asks && (
            <label class="ask">
              {action.asks.label}
              <input
                class="field"
                required
                pattern={action.asks.pattern}
                title={`such as ${action.asks.hint}`}
                value={value}
                onInput={(event) => setValue(event.currentTarget.value)}
              />
              <small>{action.asks.hint}</small>
            </label>
          )}
          <div class="buttons">
            <button type="button" class="button" onClick={onClose}>
              Cancel
            </button>
            <button
              type="submit"
              class={`button main${action.ends === true ? ' danger' : ''}`}
              disabled={phase.name === 'sending'}
            >
              {phase.name === 'sending' ? 'Waiting for answers …' : action.label}
            </button>
          </div>
        </form>
      )}
    </Dialog>
  );
}

const LISTED_MAX = 200;

function Targets({ rows }: { readonly rows: readonly BoxRow[] }): JSX.Element {
  return (
    <ul class="targets" aria-label="Boxes that get the command">
      {rows.slice(0, LISTED_MAX).map((row) => (
        <li key={row.box}>
          <span>
            <span class="mono">
              <Name text={row.job} />
            </span>{' '}
            {part(row)}
          </span>
          <span class="faint">
            <Name text={row.user} /> on <Name text={row.host} />
          </span>
        </li>
      ))}
      {rows.length > LISTED_MAX && <li class="faint">{`and ${rows.length - LISTED_MAX} more`}</li>}
    </ul>
  );
}

interface Outcome {
  readonly answers: readonly CommandAnswer[];
  readonly failure: string | null;
}

function Answers({
  answers,
  failure,
  asked,
  onClose,
}: Outcome & { readonly asked: number; readonly onClose: () => void }): JSX.Element {
  const silent = asked - answers.length;
  return (
    <div role="status">
      {failure !== null && <p class="notice bad">{printable(failure)}</p>}
      {failure === null && silent > 0 && (
        <p class="notice">
          {answers.length === 0
            ? 'No box has answered. It may have ended, or its link to the broker is down.'
            : `${silent} of ${asked} boxes have not answered.`}
        </p>
      )}
      {answers.length > 0 && (
        <ul class="answers">
          {answers.slice(0, LISTED_MAX).map((answer) => (
            <li key={answer.box}>
              <span>
                <Name text={answer.job} /> <span class="faint">on</span> <Name text={answer.host} />
              </span>
              {answer.ok ? (
                <span class="ok">done</span>
              ) : (
                <span class="refused">{printable(answer.error?.message ?? 'refused')}</span>
              )}
            </li>
          ))}
        </ul>
      )}
      <div class="buttons">
        {/* The button that had the focus has gone. */}
        <button type="button" class="button main" autofocus onClick={onClose}>
          Close
        </button>
      </div>
    </div>
  );
}

/** One request for each job, because a command names a job or a box. */
async function sendAll(action: Action, rows: readonly BoxRow[], single: boolean, value: string): Promise<Outcome> {
  const answers: CommandAnswer[] = [];
  const words = action.asks === undefined ? [] : [...action.asks.before, value.replaceAll(/\s+/g, '')];
  for (const target of commandTargets(rows, single)) {
    try {
      const result = await postJson<CommandResult>(apiPath(['commands']), {
        command: action.command,
        arguments: words,
        target,
      });
      answers.push(...result.answers);
    } catch (error) {
      return { answers, failure: error instanceof ApiFailure ? error.message : String(error) };
    }
  }
  return { answers, failure: null };
}
