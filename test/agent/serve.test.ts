import { spawnSync } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { sharedFolder, startAgent } from '../fixtures/own-agent.js';
import { until } from '../fixtures/processes.js';
import { PROC_BOX, plainEnvironment } from '../fixtures/run.js';

/** The start of an agent; test/end-to-end/agent-life.test.ts has the rest of its life. */

t.test(
  'as root it says how to run it, and does not',
  { skip: process.geteuid?.() !== 0 && 'needs root' },
  async (t) => {
    const words = ['agent', '--socket', join(sharedFolder(t), 'a.sock'), '--uri', 'none', '--config', 'none'];
    const { status, stderr } = spawnSync(PROC_BOX, words, { encoding: 'utf8', env: plainEnvironment() });
    t.equal(status, 125);
    t.match(stderr, /needs no privileges: run it as a system user of its own.*--allow-root/);
  },
);

t.test('few descriptors: it says so', async (t) => {
  const agent = await startAgent(t, { through: ['prlimit', '--nofile=512:512'] });
  t.match(agent.log(), /may have 512 open files.*LimitNOFILE=/);
});

t.test(
  'with no descriptor left it says so, turns connections away, and goes on when there are some again',
  async (t) => {
    const agent = await startAgent(t, { through: ['prlimit', '--nofile=64:64'] });
    const clients = Array.from({ length: 100 }, () => connect(agent.socket).on('error', () => {}));
    await until(() => agent.log().includes('no descriptor left'), `it says so: ${agent.log()}`);
    for (const client of clients) client.destroy();
    await until(async () => (await agent.box(['true']).done).stderr.includes('started in box'), 'it serves again');
    t.equal((await agent.box(['sh', '-c', 'exit 9']).done).code, 9);
  },
);
