import t from 'tap';
import { verbHelp } from '../../../src/cli/observe/help.js';
import { runReport } from '../../../src/cli/observe/report.js';
import { runTop } from '../../../src/cli/observe/top.js';
import { runWatch } from '../../../src/cli/observe/watch.js';
import { ctlInput } from '../../fixtures/ctl.js';

t.test('a line for each option, and the broker as for a box', async (t) => {
  const text = verbHelp(
    'head\n',
    { 'keep-x': { placeholder: 'y', default: '1m', help: 'keeps x' }, z: { help: 'is z' } },
    'tail\n',
  );
  t.match(text, /^head\n\nOptions:\n {2}--keep-x <y> +keeps x \(default 1m\)\n {2}--z +is z\n/);
  t.match(text, '--skey, --ekey');
  for (const line of text.split('\n')) t.ok(line.length <= 100, line);
});

t.test('every verb refuses what it does not know, with status 125', async (t) => {
  for (const run of [runTop, runWatch, runReport]) t.equal(await run(ctlInput(['--no-such-option'])), 125);
});
