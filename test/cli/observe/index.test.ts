import t from 'tap';
import { run } from '../../fixtures/run.js';

/** The verbs of the bundle `observe`, each of which loads only what it needs. */

t.test('each verb is there, and ends with its own status', async (t) => {
  for (const verb of ['report', 'top', 'watch']) {
    const help = await run(t, [], { bare: true, options: [verb, '--help'] });
    t.match(help, { code: 0, stdout: new RegExp(`^usage: proc_box ${verb}`), stderr: '' }, verb);
    const wrong = await run(t, [], { bare: true, options: [verb, '--no-such-option'] });
    t.match(wrong, { code: 125, stdout: '', stderr: /--no-such-option/ }, verb);
  }
});
