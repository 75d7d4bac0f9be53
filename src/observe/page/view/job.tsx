/** A job: all its hosts, steps and tasks; what it uses, what happened to it, and what to ask for next time. */
import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import { printable } from '../../../text.js';
import type { BoxRow, JobView } from '../../model/api.js';
import { eventWords } from '../data/event-words.js';
import { address, type Params } from '../data/route.js';
import { BoxDetail } from './box-detail.js';
import { EventList, toneColour } from './event-list.js';
import { JobBoxes } from './job-boxes.js';
import { type JobData, useJob } from './job-data.js';
import { JobHead } from './job-head.js';
import { JobPlots } from './job-plots.js';
import { JobSummary } from './job-summary.js';
import { Verdict } from './verdict.js';
import { Empty, Failure } from './words.js';

export function JobScreen({ job, params }: { readonly job: string; readonly params: Params }): JSX.Element {
  const { cluster, user } = params;
  const chosen = params['box'] ?? null;
  const data = useJob(job, cluster, user, chosen);
  if (data.job === null)
    return data.failure === null ? <Empty title="Loading …" /> : <NotThere job={job} data={data} />;
  const choose = (box: string | null) => {
    location.hash = address(['jobs', job], { cluster, user, box: box ?? undefined });
  };
  return <Job data={data} job={data.job} chosen={chosen} choose={choose} />;
}

function NotThere({ job, data }: { readonly job: string; readonly data: JobData }): JSX.Element {
  const known = data.failure?.status !== 404;
  return (
    <Failure
      title={known ? 'The job cannot be shown' : `No job ${printable(job)}`}
      text={known ? (data.failure?.message ?? '') : 'No running or stored box belongs to it, or you may not see it.'}
      again={data.again}
    />
  );
}

interface Props {
  readonly data: JobData;
  readonly job: JobView;
  readonly chosen: string | null;
  readonly choose: (box: string | null) => void;
}

function Job({ data, job, chosen, choose }: Props): JSX.Element {
  const { rows, box, events, line, version } = data;
  const row = useMemo(
    () => rows.find((each) => each.box === (chosen ?? (job.boxes_total === 1 ? rows[0]?.box : null))) ?? null,
    [rows, chosen, job],
  );
  const shown: readonly BoxRow[] = row === null ? rows : [row];
  const seen = useMemo(
    () => (chosen === null ? events : events.filter((event) => event.box === chosen)),
    [events, chosen],
  );
  const marks = useMemo(
    () =>
      seen
        .filter(({ event }) => event !== 'started' && event !== 'command')
        .slice(0, 60)
        .map(({ at_ms, event, body }) => ({ time: at_ms / 1000, colour: toneColour(eventWords(event, body).tone) })),
    [seen],
  );
  return (
    <>
      <JobHead job={job} rows={rows} chosen={chosen === null ? null : row} choose={choose} />
      <Verdict job={job} row={row} notes={chosen !== null && box !== null ? box.notes : job.notes} />
      <JobSummary job={job} rows={shown} />
      <section class="section" aria-label="Use over time">
        <JobPlots line={line} version={version} rows={shown} marks={marks} />
      </section>
      {job.boxes_total > 1 && <JobBoxes rows={rows} total={job.boxes_total} chosen={chosen} choose={choose} />}
      <div class="columns">
        <EventList events={seen} withBox={rows.length > 1 && chosen === null} />
        {row !== null && box !== null && <BoxDetail view={box} row={row} />}
      </div>
    </>
  );
}
