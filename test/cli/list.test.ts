import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { startAgent } from '../fixtures/own-agent.js';
import { until } from '../fixtures/processes.js';
import { PROC_BOX, plainEnvironment, temporaryFolder } from '../fixtures/run.js';

const list = (words: readonly string[], env: Record<string, string> = {}) =>
  spawnSync(PROC_BOX, ['list', ...words], { encoding: 'utf8', env: plainEnvironment(env), timeout: 20_000 });

t.test('finds the agent by its option, its variable, or as one of the user', async (t) => {
  const agent = await startAgent(t);
  const box = agent.box(['sleep', '20']);
  await until(() => box.stderr().includes('started in box'), 'it has started');
  for (const { status, stdout } of [list(['--agent', agent.socket]), list([], { PBOX_AGENT: agent.socket })]) {
    t.equal(status, 0);
    t.match(stdout, /^[0-9a-f]{20} +- +running +\d+ +\d+s\/10m00s +\S+ +\S+ +sleep$/m);
  }
  const [row] = JSON.parse(list(['--agent', agent.socket, '--json']).stdout);
  t.match(row, { state: 'running', command: 'sleep', limit_ms: 600_000, pid: Number });
  t.equal(list(['--agent', agent.socket, '--user', 'no-such-user']).stdout, 'no boxes here\n');
  await box.end();
});

t.test('exit statuses: 2 where no agent answers, 125 for a wrong option', async (t) => {
  const missing = join(temporaryFolder(t), 's');
  t.match(list(['--agent', missing]), { status: 2, stderr: /there is no such socket/, stdout: '' });
  t.match(list(['--frobnicate']), { status: 125, stderr: /unknown option/ });
  t.match(list(['word']), { status: 125, stderr: /"word" is not an option/ });
  t.match(list(['--help']), { status: 0, stdout: /^usage: proc_box list/ });
});
