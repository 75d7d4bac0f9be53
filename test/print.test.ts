import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import t from 'tap';
import { job, PROC_BOX, plainEnvironment, temporaryFolder } from './fixtures/run.js';

/** What tools print reaches its reader as a whole, or the exit status says that it has not. */

t.test('--version and --help into a full device: one line and 125, never 0', async (t) => {
  const full = openSync('/dev/full', 'w');
  const folder = temporaryFolder(t);
  const cases = [
    ['--version'],
    ['--help'],
    ['ctl', '--help'],
    ['check', '--help'],
    ['spool', '--help'],
    ['spool', 'list', '--spool-dir', folder],
    ['where', '--help'],
    ['adopt', '--help'],
    ['ctl', 'keygen', '--help'],
  ];
  for (const words of cases) {
    const { status, stderr } = spawnSync(PROC_BOX, words, {
      env: { ...plainEnvironment(), PBOX_CONFIG: 'none' },
      stdio: ['ignore', full, 'pipe'],
      encoding: 'utf8',
    });
    t.equal(status, 125, words.join(' '));
    t.match(stderr, /^proc_box: error: write to stdout: ENOSPC: [^\n]*\n$/, words.join(' '));
  }
  closeSync(full);
});

t.test('a reader that wants no more is no failure, and a slow one gets everything', async (t) => {
  const through = (reader: string) =>
    spawnSync('bash', ['-c', `"$0" --help | ${reader}; echo "\${PIPESTATUS[0]}"`, PROC_BOX], {
      env: plainEnvironment(),
      encoding: 'utf8',
    });
  t.match(through('head -c 1 >/dev/null'), { stdout: '0\n', stderr: '' });
  t.match(through('{ sleep 0.2; wc -l; }'), { stdout: /^\d{2,}\n0\n$/, stderr: '' });
});

t.test('a pipe that somebody has made non-blocking gets everything, too', async (t) => {
  const [python = '', ...words] = job('non-blocking-reader.py', PROC_BOX, '--help');
  const { status, stdout, stderr } = spawnSync(python, words, { env: plainEnvironment(), encoding: 'utf8' });
  t.strictSame([status, stderr], [0, '']);
  const { stdout: plain } = spawnSync(PROC_BOX, ['--help'], { env: plainEnvironment(), encoding: 'utf8' });
  t.ok(plain.length > 4096, 'more than the pipe holds');
  t.equal(stdout, plain);
});
