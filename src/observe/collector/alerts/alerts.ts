import type { Logger } from '../../../log.js';
import type { AlertView } from '../../model/api.js';
import type { LiveBox } from '../live/box.js';
import { jobKey } from '../live/row.js';
import type { Database } from '../store/database.js';
import { type Cause, type CpuWindow, causesOf, idleOf, type Thresholds } from './rules.js';

/** Raises each alert once for a job: the store remembers it, so that a restart does not raise it again. */

export interface AlertsOptions {
  readonly thresholds: Thresholds;
  readonly database: Database;
  /** Tells people. Resolves once it was tried; never rejects. */
  readonly deliver: (alert: AlertView) => Promise<void>;
  readonly log: Logger;
}

/** After an outage of the link, boxes have this time to be heard of. */
const HEARD_MS = 600_000;
/** Alerts that were raised and not told when a collector died. */
const UNTOLD_MAX = 100;
const RAISED_KEPT = 200_000;

export class Alerts {
  readonly counts = new Map<string, number>();
  readonly #options: AlertsOptions;
  /** `<alert>\n<job key>` of those that the store has for sure. */
  readonly #raised = new Set<string>();
  readonly #windows = new WeakMap<LiveBox, CpuWindow>();
  #upSinceMs: number | null = null;
  #work: Promise<void> = Promise.resolve();

  constructor(options: AlertsOptions) {
    this.#options = options;
  }

  /** Tells what a collector before this one did not get to tell. */
  async begin(): Promise<void> {
    const { database, deliver } = this.#options;
    const rows = await database.all(`SELECT * FROM alert WHERE told = 0 ORDER BY at_ms DESC LIMIT ${UNTOLD_MAX}`);
    for (const row of rows) {
      const text = (name: string) => String(row[name]);
      const view: AlertView = {
        at_ms: Number(row['at_ms']),
        alert: text('alert') as AlertView['alert'],
        job: text('job'),
        cluster: row['cluster'] === null ? null : text('cluster'),
        user: text('user'),
        host: text('host'),
        box: text('box'),
        text: text('detail'),
      };
      await deliver(view);
      await this.#told(text('job_key'), view.alert);
    }
  }

  /** Looks at all boxes. @param isLinkUp whether the broker can be heard. @returns once what was found is in the store */
  check(boxes: Iterable<LiveBox>, isLinkUp: boolean, nowMs: number): Promise<void> {
    this.#upSinceMs = isLinkUp ? (this.#upSinceMs ?? nowMs) : null;
    const canBeSilent = this.#upSinceMs !== null && nowMs - this.#upSinceMs > HEARD_MS;
    const { thresholds } = this.#options;
    for (const box of boxes) {
      const causes = causesOf(box, thresholds, nowMs, canBeSilent);
      if (box.end === null) {
        const { window, cause } = idleOf(box, this.#windows.get(box), thresholds);
        this.#windows.set(box, window);
        if (cause !== null) causes.push(cause);
      }
      for (const cause of causes) this.#raise(box, cause, nowMs);
    }
    return this.#work;
  }

  #raise(box: LiveBox, { alert, text }: Cause, nowMs: number): void {
    const { identity } = box;
    const key = jobKey(identity);
    const name = `${alert}\n${key}`;
    if (this.#raised.has(name)) return;
    if (this.#raised.size >= RAISED_KEPT) this.#raised.clear();
    this.#raised.add(name);
    const { cluster, job, user, host } = identity;
    const view: AlertView = { at_ms: Math.round(nowMs), alert, job, cluster, user, host, box: identity.box, text };
    this.#work = this.#work
      .then(() => this.#keepAndTell(key, view))
      .catch((error: Error) => {
        this.#raised.delete(name); // found again when the store takes data again
        this.#options.log.warn(`cannot store an alert: ${error.message}`);
      });
  }

  async #keepAndTell(key: string, view: AlertView): Promise<void> {
    const { database, deliver, log } = this.#options;
    const isNew = await database.transaction(async (queries) => {
      const [known] = await queries.all('SELECT 1 AS one FROM alert WHERE job_key = ? AND alert = ?', [
        key,
        view.alert,
      ]);
      if (known !== undefined) return false;
      const { at_ms, job, cluster, user, host, box, text } = view;
      await queries.run(
        'INSERT INTO alert (job_key, alert, at_ms, job, cluster, "user", host, box, detail, told) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)',
        [key, view.alert, at_ms, job, cluster, user, host, box, text],
      );
      return true;
    });
    if (!isNew) return;
    this.counts.set(view.alert, (this.counts.get(view.alert) ?? 0) + 1);
    log.info(`alert ${view.alert}: job ${view.job} of ${view.user} on ${view.host}: ${view.text}`);
    // Others are kept meanwhile: a receiver of alerts may be slow.
    void deliver(view)
      .then(() => this.#told(key, view.alert))
      .catch((error: Error) => log.warn(`cannot store an alert: ${error.message}`));
  }

  #told(key: string, alert: string): Promise<void> {
    return this.#options.database.run('UPDATE alert SET told = 1 WHERE job_key = ? AND alert = ?', [key, alert]);
  }
}
