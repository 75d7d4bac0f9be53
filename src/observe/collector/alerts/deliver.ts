import { spawn } from 'node:child_process';
import type { Logger } from '../../../log.js';
import { printable, redactUri } from '../../../text.js';
import type { AlertView } from '../../model/api.js';
import type { AlertOptions } from '../options.js';

/** The ways of an alert to people: a webhook, mail, a message. One that fails does not keep the others. */

export type Publish = (routingKey: string, body: string) => Promise<void>;

export interface DeliverOptions {
  readonly alerts: Pick<AlertOptions, 'webhook' | 'mailTo' | 'mailUsers' | 'sendmail' | 'key'>;
  readonly publish: Publish;
  readonly log: Logger;
  /** Time until a receiver must have answered. @default 10 s */
  readonly timeoutMs?: number;
  /** Waits between the attempts of a webhook. @default 1 s, 5 s, 30 s */
  readonly retryMs?: readonly number[];
}

const TIMEOUT_MS = 10_000;
const RETRY_MS = [1_000, 5_000, 30_000];
/** Alerts on their way. Beyond, an alert is only in the store: whoever cannot take a hundred cannot take a thousand. */
const PENDING_MAX = 100;

/** @returns delivers one alert; never rejects */
export function deliverer(options: DeliverOptions): (alert: AlertView) => Promise<void> {
  let pending = 0;
  let skipped = 0;
  const { alerts, log } = options;
  return async (alert) => {
    if (pending >= PENDING_MAX) {
      if (skipped++ === 0)
        log.warn(`${PENDING_MAX} alerts are being delivered: until they have arrived, further alerts are only stored`);
      return;
    }
    pending++;
    const ways: readonly (readonly [string, Promise<void>])[] = [
      ['--webhook', alerts.webhook === undefined ? done : toWebhook(alerts.webhook, alert, options)],
      ['--mail-to', mail(alert, options)],
      [
        '--alert-key',
        alerts.key === undefined ? done : options.publish(`${alerts.key}.${alert.alert}`, JSON.stringify(alert)),
      ],
    ];
    const failed = (name: string) => (error: Error) =>
      log.warn(`${name}: the alert ${alert.alert} of job ${alert.job} was not delivered: ${redactUri(error.message)}`);
    await Promise.all(ways.map(([name, way]) => way.catch(failed(name))));
    pending--;
    if (pending === 0) skipped = 0;
  };
}

const done = Promise.resolve();

async function toWebhook(
  url: string,
  alert: AlertView,
  { timeoutMs = TIMEOUT_MS, retryMs = RETRY_MS }: DeliverOptions,
): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'user-agent': 'proc_box collector' },
        // `text` is what chat programs show.
        body: JSON.stringify({ ...alert, summary: alert.text, text: lineOf(alert) }),
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
      });
      await response.body?.cancel();
      if (response.ok) return;
      throw new Error(`it answered with status ${response.status}`);
    } catch (error) {
      const waitMs = retryMs[attempt];
      if (waitMs === undefined) throw error;
      await new Promise((resolve) => setTimeout(resolve, waitMs).unref());
    }
  }
}

export function lineOf({ alert, job, cluster, user, host, text }: AlertView): string {
  return `proc_box: ${alert}: job ${job}${cluster === null ? '' : ` on ${cluster}`} of ${user} (${host}): ${text}`;
}

/** A login name and no address or option of sendmail: the user is only somebody's word. */
const LOGIN = /^[a-z_][a-z0-9_.-]{0,63}$/i;

function mail(alert: AlertView, { alerts, timeoutMs = TIMEOUT_MS }: DeliverOptions): Promise<void> {
  const to = [...alerts.mailTo, ...(alerts.mailUsers && LOGIN.test(alert.user) ? [alert.user] : [])];
  if (to.length === 0) return done;
  // The recipients are no arguments that sendmail could take for options, and `-i` takes no line for the end.
  return new Promise((resolve, reject) => {
    const child = spawn(alerts.sendmail, ['-i', '--', ...to], {
      stdio: ['pipe', 'ignore', 'ignore'],
      timeout: timeoutMs,
    });
    child.on('error', reject);
    child.on('exit', (code, signal) =>
      code === 0 ? resolve() : reject(new Error(`sendmail ended with ${signal ?? code}`)),
    );
    child.stdin.on('error', () => {}); // `exit` tells
    child.stdin.end(mailText(alert, to));
  });
}

/** Without line breaks of the alert's own, so that it cannot add headers. */
export function mailText(alert: AlertView, to: readonly string[]): string {
  const line = printable(lineOf(alert));
  const subject = Buffer.from(line.slice(0, 150)).toString('base64');
  return [
    `To: ${to.join(', ')}`,
    `Subject: =?UTF-8?B?${subject}?=`,
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: 8bit',
    'Auto-Submitted: auto-generated',
    '',
    line,
    '',
    `time: ${new Date(alert.at_ms).toISOString()}`,
    printable(`job: ${alert.job}`),
    printable(`user: ${alert.user}`),
    printable(`host: ${alert.host}`),
    printable(`box: ${alert.box}`),
    '',
  ].join('\n');
}
