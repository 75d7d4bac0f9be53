import { parseEndReport } from '../model/end-report.js';
import type { Note } from '../model/observed.js';
import { factsOfEnd } from '../report/facts.js';
import { reportOf } from '../report/job-report.js';
import type { LiveBox } from './live/box.js';

/** What the report of a job remarks, from the end reports of its boxes: the same as `proc_box report`. */

/** Boxes whose reports are read for the remarks of one job. */
const BOXES_MAX = 2_000;

export function notesOf(boxes: readonly LiveBox[]): readonly Note[] {
  const facts = boxes.slice(0, BOXES_MAX).flatMap(({ report }) => {
    const end = report === null ? null : parseEndReport(report);
    return end === null ? [] : [factsOfEnd(end)];
  });
  return facts.length === 0 ? [] : reportOf(facts[0]!.identity.job, facts).notes;
}
