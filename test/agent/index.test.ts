import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { PROC_BOX, plainEnvironment, temporaryFolder } from '../fixtures/run.js';

const agent = (...words: string[]) =>
  spawnSync(PROC_BOX, ['agent', ...words], { encoding: 'utf8', env: plainEnvironment(), timeout: 20_000 });

t.test('--help names every option and the exit statuses', async (t) => {
  const { status, stdout } = agent('--help');
  t.equal(status, 0);
  for (const option of ['socket', 'user', 'takeover', 'allow-root', 'boxes-per-user', 'agent', 'json']) {
    t.match(stdout, new RegExp(`^ +--${option}\\b`, 'm'));
  }
  t.match(stdout, /^ {2}2 +status: no agent answered$/m);
});

t.test('exit statuses: 125 for a wrong option, 2 where no agent answers', async (t) => {
  t.match(agent('--boxes-per-user', 'x', '--config', 'none'), { status: 125, stderr: /--boxes-per-user/ });
  const missing = join(temporaryFolder(t), 's');
  t.match(agent('status', '--agent', missing, '--config', 'none'), { status: 2, stderr: /there is no such socket/ });
});
