import t from 'tap';
import { whyUnnoticed } from '../../src/scheduler/slurm-top.js';

const status = (caught: string, ignored: string) => `Name:\tbash\nSigIgn:\t${ignored}\nSigCgt:\t${caught}\n`;
const none = '0000000000000000';
const term = '0000000000004000';

t.test('a box below a process that dies of TERM is told of', async (t) => {
  const why = (top: string | undefined, text: string | null) => whyUnnoticed({ SLURM_TASK_PID: top }, 50, () => text);
  t.match(why('40', status(none, none)), /not the top process of its step: bash \(pid 40\).*exec proc_box/);
  t.equal(why('50', status(none, none)), null, 'the top itself');
  t.equal(why('40', status(term, none)), null, 'a top that catches it');
  t.equal(why('40', status(none, term)), null, 'a top that ignores it');
  t.equal(why('40', null), null, 'a top that has gone');
  for (const odd of [undefined, '', '0', '1', 'x']) t.equal(why(odd, status(none, none)), null, `${odd}`);
});
