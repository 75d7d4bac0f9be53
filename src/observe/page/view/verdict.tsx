/** How a job does or why it ended, and what to ask for next time. */
import type { JSX } from 'preact';
import { printable } from '../../../text.js';
import type { BoxRow, JobView } from '../../model/api.js';
import type { Note } from '../../model/observed.js';
import type { JobEnd } from '../data/api.js';
import { count } from '../data/figures.js';
import { reasonWord } from './words.js';

interface Props {
  readonly job: JobView;
  /** The box that is shown; null for all of a job with several. */
  readonly row: BoxRow | null;
  readonly notes: readonly Note[];
}

const TAGS: Readonly<Record<Note['severity'], string>> = { info: 'Note', advice: 'Advice', warning: 'Warning' };

export function Verdict({ job, row, notes }: Props): JSX.Element | null {
  const ended = row === null ? job.state === 'ended' : row.state === 'ended';
  if (!ended && notes.length === 0) return null;
  const ends = row !== null && ended ? [endOf(row)] : job.ends;
  const good = ends.length > 0 && ends.every(({ exit_status }) => exit_status === 0);
  return (
    <section
      class={`verdict card ${ended ? (good ? 'good' : 'bad') : 'live'}`}
      aria-label={ended ? 'How it ended' : 'How it is doing'}
    >
      <h2>{ended ? headline(ends, job.boxes_total) : 'While it runs'}</h2>
      {ended &&
        ends
          .slice(0, 5)
          .map((end) => (
            <End key={`${end.reason} ${end.exit_status} ${end.why}`} end={end} several={ends.length > 1} />
          ))}
      {notes.length > 0 && (
        <ul class="notes">
          {notes.map((note) => (
            <li key={`${note.code} ${note.text}`}>
              <span class={`tag ${note.severity}`}>
                {ended && note.severity === 'advice' ? 'Next time' : (TAGS[note.severity] ?? 'Note')}
              </span>
              <span>{printable(note.text)}</span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function End({ end, several }: { readonly end: JobEnd; readonly several: boolean }): JSX.Element | null {
  const status = end.exit_status === null ? '' : `exit status ${end.exit_status}`;
  const boxes = several ? `${count(end.boxes)} ${end.boxes === 1 ? 'box' : 'boxes'}: ${reasonWord(end.reason)}` : '';
  const text = [boxes, end.why ?? '', status].filter((part) => part !== '').join(' · ');
  return text === '' ? null : <p>{printable(text)}</p>;
}

function headline(ends: readonly JobEnd[], boxes: number): string {
  const [worst] = ends;
  if (worst === undefined) return 'Ended';
  if (ends.every(({ exit_status }) => exit_status === 0))
    return boxes > 1 ? 'Finished: every box with exit status 0' : 'Finished with exit status 0';
  const bad = ends.find(({ exit_status }) => exit_status !== 0) ?? worst;
  return bad.reason === 'exited'
    ? `Failed with exit status ${bad.exit_status ?? 'unknown'}`
    : `Ended: ${reasonWord(bad.reason).toLowerCase()}`;
}

function endOf(row: BoxRow): JobEnd {
  return { reason: row.reason ?? 'unknown', why: row.why, exit_status: row.exit_status, boxes: 1 };
}
