// test-timeout: 300s
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

t.test('the quickstart shows samples, answers, and the end report, and leaves nothing behind', async (t) => {
  // Its demonstration, without the set-up that this run has done already. It needs bin/proc_box built.
  const demo = join(root, 'scripts', 'dev', 'quickstart', 'demo.ts');
  const env = { ...process.env, PROC_BOX_QUICKSTART_URI: process.env['PROC_BOX_TEST_BROKER'] };
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', demo], {
    cwd: root,
    env,
    encoding: 'utf8',
    timeout: 240_000,
  });
  t.equal(status, 0, 'it succeeds', { stdout, stderr });
  t.match(stdout, /sample +\d+ +running +\d+ processes +CPU +\d+ % .* memory \d+ MiB/, 'samples in words');
  t.match(stdout, /sample +\d+ +suspended/, 'a sample of the suspended job');
  for (const command of ['suspend', 'resume', 'set_limit', 'kill']) {
    t.match(
      stdout,
      new RegExp(`> \\S+ +\\{"command":"${command}".*\\}\\n(?: .*\\n)*< \\{"ok":true`),
      `${command} is answered`,
    );
  }
  t.match(stdout, /\$ proc_box list .*\n *BOX .*\n.* running /, 'the agent lists the box');
  t.match(stdout, /event +\d+ +exited/, 'the exited event');
  t.match(stderr, /killed/, 'the end report names the reason');
  t.match(stdout, /-uri none --report/, 'how to run your own');
  t.match(stdout, /page: http:\/\/127\.0\.0\.1:\d+\/\?token=\w+#\/jobs\/\w+\n/, "the address of the job's page");
  t.match(stdout, /A screenshot: \S+\.png|docs\/pictures\/job\.png/, 'a picture');
  const left = spawnSync('pgrep', ['-f', join(root, 'scripts/dev/quickstart/job.sh')], { encoding: 'utf8' });
  t.equal(left.stdout, '', 'no process of the job is left');
});
