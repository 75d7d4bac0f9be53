import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PROC_BOX, plainEnvironment, temporaryFolder } from '../fixtures/run.js';

/** The site's own file at its own place: /etc of a mount namespace that only the test sees. */

const etc = join(temporaryFolder(t), 'etc');
const setup = `mount --make-rprivate / && cp -a /etc "$0" && mkdir -p "$0/proc_box" && cp "$1" "$0/proc_box/config.yaml" && mount --bind "$0" /etc && shift && exec "$@"`;
const inNamespace = ['unshare', '--mount', 'sh', '-c', setup, etc];
const file = join(temporaryFolder(t), 'config.yaml');
mkdirSync(join(etc, '..'), { recursive: true });
writeFileSync(file, 'control-auth: user\nlocked: control-auth, stdoutlimit\nstdoutlimit: 3\n');
const possible = spawnSync('unshare', ['--mount', 'mount', '--make-rprivate', '/']).status === 0;

function proc_box(...words: string[]) {
  const env = plainEnvironment();
  const result = spawnSync(inNamespace[0]!, [...inNamespace.slice(1), file, PROC_BOX, '-uri', 'none', ...words], {
    encoding: 'utf8',
    env,
  });
  spawnSync('rm', ['-rf', etc]);
  return result;
}

t.test(
  'what the site has locked holds, whatever a user asks for',
  { skip: !possible && 'needs unshare --mount' },
  async (t) => {
    const loose = proc_box('--control-auth', 'broker', 'echo', 'ran');
    t.equal(loose.status, 125);
    t.equal(loose.stdout, '', 'the job is not started');
    t.equal(
      loose.stderr,
      'proc_box: error: --control-auth: the site has fixed this option (/etc/proc_box/config.yaml:2): leave it out\n',
    );
    const none = proc_box('--config', 'none', 'echo', 'ran');
    t.equal(none.stdout.slice(0, 3), 'ran', none.stderr);
    t.match(none.stderr, /stdoutlimit=3/, 'the limit of the site, without its file');
  },
);
