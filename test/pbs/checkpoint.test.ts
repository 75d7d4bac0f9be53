// test-waits
// test-timeout: 180s
import t from 'tap';
import { configure, startMom } from '../fixtures/mom.js';
import { until } from '../fixtures/processes.js';

/** qdel and the end of the walltime: SIGTERM to every process of the session, SIGKILL some ten seconds later. */

const APP = `import os, signal, sys, time
def save(*_):
  os.write(1, b"asked\\n"); time.sleep(4); os.write(1, b"saved\\n"); os._exit(0)
signal.signal(signal.SIGTERM, save)
os.write(1, b"ready\\n")
while True: time.sleep(100)`;

for (const options of [[], ['--linger']]) {
  t.test(`an application saves for 4 s after its login shell has died of SIGTERM ${options.join('')}`, async (t) => {
    const mom = startMom(t);
    const hook = configure(mom, { default: ['-uri', 'none', '--config', 'none', '--report', ...options] });
    const app = mom.write('app.py', APP, 0o644);
    const task = await mom.run({ script: `#!/bin/bash\npython3 ${app}\necho not reached`, hook });
    await until(() => task.output().includes('ready'), 'the application runs', 60_000);
    await until(() => task.output().includes('started in box'), 'the wrapper is ready', 60_000);
    task.signal('TERM');
    t.equal(await task.exitStatus, 256 + 15, 'the status is that of the login shell');
    t.match(task.output(), /saved/);
    t.equal(task.output().match(/^asked\r?$/gm)?.length, 1, 'its handler has run once');
    t.match(task.output(), /ended +scheduler: SIGTERM/);
  });
}

t.test('an application that saves too long is ended before the SIGKILL of PBS, and the end is told', async (t) => {
  const mom = startMom(t);
  const hook = configure(mom, { default: ['-uri', 'none', '--config', 'none', '--report'] });
  const app = mom.write('app.py', APP.replace('sleep(4)', 'sleep(100)'), 0o644);
  const task = await mom.run({ script: `#!/bin/bash\npython3 ${app}`, hook });
  await until(() => task.output().includes('started in box'), 'the wrapper is ready', 60_000);
  await until(() => task.output().includes('ready'), 'the application runs', 60_000);
  const began = performance.now();
  task.signal('TERM');
  t.equal(await task.exitStatus, 256 + 15);
  const took = performance.now() - began;
  t.ok(took > 5000 && took < 10_000, `${took} ms`);
  t.match(task.output(), /ended +scheduler/);
});
