/** The jobs of a user or on a host. */
import type { JSX } from 'preact';
import type { JobRow } from '../../model/api.js';
import { when } from '../data/clock.js';
import { cores, count, size } from '../data/figures.js';
import { jobAddress, Name, reasonWord, UserLink } from './words.js';

const ROWS_MAX = 200;

export function JobsTable({
  jobs,
  withUser,
}: {
  readonly jobs: readonly JobRow[];
  readonly withUser: boolean;
}): JSX.Element {
  const now = Date.now();
  return (
    <div class="card scroll">
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">Job</th>
            {withUser && <th scope="col">User</th>}
            <th scope="col">State</th>
            <th scope="col" class="opt">
              Started
            </th>
            <th scope="col" class="right opt">
              Boxes
            </th>
            <th scope="col" class="right opt">
              Hosts
            </th>
            <th scope="col" class="right">
              Cores busy
            </th>
            <th scope="col" class="right">
              Memory
            </th>
            <th scope="col" class="right opt">
              Limits
            </th>
          </tr>
        </thead>
        <tbody>
          {jobs.slice(0, ROWS_MAX).map((job) => (
            <tr key={`${job.cluster} ${job.user} ${job.job}`}>
              <td>
                <a class="mono" href={jobAddress(job)}>
                  <Name text={job.job} />
                </a>
              </td>
              {withUser && (
                <td>
                  <UserLink user={job.user} />
                </td>
              )}
              <td>{job.running > 0 ? 'Running' : job.reasons.map(reasonWord).join(', ') || 'Ended'}</td>
              <td class="opt">{when(job.started_ms, now)}</td>
              <td class="right opt">{count(job.boxes)}</td>
              <td class="right opt">{count(job.hosts)}</td>
              <td class="right">{cores(job.cpu_percent)}</td>
              <td class="right">{size(job.memory_bytes)}</td>
              <td class="right opt">{size(job.memory_limit_bytes)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {jobs.length > ROWS_MAX && <p class="more faint">{`The first ${ROWS_MAX} of ${count(jobs.length)}`}</p>}
    </div>
  );
}
