/** What the collector has warned about, the latest first. */
import type { JSX } from 'preact';
import { printable } from '../../../text.js';
import type { AlertView } from '../../model/api.js';
import { apiPath } from '../data/api.js';
import { when } from '../data/clock.js';
import { useFetched } from './fetch.js';
import { Empty, Failure, HostLink, jobAddress, Name, UserLink } from './words.js';

const REFRESH_MS = 10_000;
const NAMES: Readonly<Record<string, string>> = {
  memory_near_limit: 'Memory near its limit',
  oom: 'Out of memory',
  cpu_idle: 'CPU hardly used',
  box_silent: 'Box silent',
  messages_lost: 'Messages lost',
  time_nearly_over: 'Time nearly over',
};
const URGENT = new Set(['oom', 'memory_near_limit']);

export function AlertsScreen(): JSX.Element {
  const { data, failure, again } = useFetched<readonly AlertView[]>(apiPath(['alerts'], { limit: 200 }), REFRESH_MS);
  return (
    <>
      <div class="screen-head">
        <h1>Alerts</h1>
      </div>
      {failure !== null && data === null ? (
        <Failure title="The alerts cannot be shown" text={failure.message} again={again} />
      ) : data === null ? (
        <Empty title="Loading …" />
      ) : data.length === 0 ? (
        <Empty title="No alerts">
          <p>
            Memory near its limit, idle CPUs, silent boxes and time that is nearly over appear here, once for each job.
          </p>
        </Empty>
      ) : (
        <Alerts alerts={data} />
      )}
    </>
  );
}

function Alerts({ alerts }: { readonly alerts: readonly AlertView[] }): JSX.Element {
  const now = Date.now();
  return (
    <div class="card scroll">
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col">Alert</th>
            <th scope="col">Job</th>
            <th scope="col">User</th>
            <th scope="col">Host</th>
          </tr>
        </thead>
        <tbody>
          {alerts.map((alert) => (
            <tr key={`${alert.box} ${alert.alert} ${alert.at_ms}`}>
              <td class="number">{when(alert.at_ms, now)}</td>
              <td>
                <span class={`tag ${URGENT.has(alert.alert) ? 'warning' : ''}`}>
                  {NAMES[alert.alert] ?? printable(alert.alert)}
                </span>{' '}
                {printable(alert.text)}
              </td>
              <td>
                <a class="mono" href={jobAddress(alert)}>
                  <Name text={alert.job} />
                </a>
              </td>
              <td>
                <UserLink user={alert.user} />
              </td>
              <td>
                <HostLink host={alert.host} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
