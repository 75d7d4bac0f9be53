import { randomHex } from 'cgroup-utils-native';
import { describeError } from '../../errors.js';
import type { TopRow } from '../../observe/top/row.js';
import { formatAnswer, parseAnswer } from '../ctl/answer.js';
import type { CtlRequest } from '../ctl/options.js';
import { sendCommand } from '../ctl/send.js';
import type { Address } from './broker.js';

/** The commands of `proc_box top`: whom they are for, and their way over the broker. */

/** One box, or every box of its job: job ids are unique only within a cluster. */
export function targetOf({ box, job, cluster, user }: TopRow, wholeJob: boolean): Address {
  return wholeJob ? { job, user, ...(cluster !== null && { cluster }) } : { box };
}

/** Never rejects. @returns what the boxes have answered, in one line */
export async function commandOver(
  requests: () => readonly CtlRequest[],
  wholeJob: boolean,
): Promise<{ readonly text: string; readonly isError: boolean }> {
  const answers: { readonly ok: boolean; readonly text: string }[] = [];
  try {
    const made = requests();
    const { outcome } = await sendCommand(made, `top-${randomHex(8)}`, (text) => {
      const answer = parseAnswer(text);
      if (answer !== undefined) answers.push({ ok: answer.ok, text: formatAnswer(answer) });
      return answer !== undefined;
    });
    if (outcome === 'unroutable') return { text: 'no such box is listening: has the job ended?', isError: true };
  } catch (error) {
    return { text: describeError(error, false), isError: true };
  }
  const refused = answers.filter(({ ok }) => !ok);
  if (answers.length === 0) return { text: 'no answer; the command may have been carried out', isError: true };
  if (!wholeJob) return { text: answers[0]!.text, isError: refused.length > 0 };
  const rest = refused.length === 0 ? '' : `, ${refused.length} refused: ${refused[0]!.text}`;
  return { text: `${answers.length - refused.length} boxes carried it out${rest}`, isError: refused.length > 0 };
}
