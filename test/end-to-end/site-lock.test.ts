// test-timeout: 300s
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
      'proc_box: error: --control-auth: the site has locked this option (/etc/proc_box/config.yaml:2): leave it out\n',
    );
    const none = proc_box('--config', 'none', 'echo', 'ran');
    t.equal(none.stdout.slice(0, 3), 'ran', none.stderr);
    t.match(none.stderr, /stdoutlimit=3/, 'the limit of the site, without its file');
  },
);

/** How the site's file is made where it cannot be read or understood; `$F` is its path. */
const BROKEN: Readonly<Record<string, string>> = {
  'no YAML': 'echo "memory: [" >$F',
  'an unknown key': 'echo "memry: 1G" >$F',
  'a lock of nothing': 'echo "locked: nosuch" >$F',
  'a folder': 'mkdir $F',
  'a link to itself': 'ln -s config.yaml $F',
  'over 1 MiB': 'head -c 2000000 /dev/zero >$F',
  'a folder that is a link to itself': 'rmdir $(dirname $F) && ln -s proc_box $(dirname $F)',
  'not for this user': 'echo "locked: control-auth" >$F && chmod 600 $F',
};
const make = `mount --make-rprivate / && mkdir -p "$0/proc_box" && cp -a /etc/passwd /etc/group /etc/ld.so.cache "$0" && F=$0/proc_box/config.yaml && eval "$1" &&
  chmod 755 "$0" && mount --bind "$0" /etc && shift && exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@"`;

function withSite(made: string, words: readonly string[], env: Record<string, string> = {}) {
  const args = ['--mount', 'sh', '-c', make, etc, made, PROC_BOX, ...words];
  const { status, stdout, stderr } = spawnSync('unshare', args, { encoding: 'utf8', env: plainEnvironment(env) });
  spawnSync('rm', ['-rf', etc]);
  return { status, stdout, stderr };
}

const SHOW = ['sh', '-c', 'ulimit -n; echo ran; exec sleep 20'];
const LIMITED = ['--timeout', '300ms', '--stop-signal', 'KILL', '--rlimit', 'nofile=77', '--', ...SHOW];

for (const [what, made] of Object.entries(BROKEN)) {
  t.test(
    `the site's file is ${what}: nobody knows what it locks`,
    { skip: !possible && 'needs unshare --mount' },
    async (t) => {
      const closed = withSite(made, ['-uri', 'none', '--config', 'none', ...LIMITED]);
      t.equal(closed.status, 125);
      t.equal(closed.stdout, '');
      t.match(closed.stderr, /^proc_box: error: [^\n]*\/etc\/proc_box\/config\.yaml[^\n]*\n$/);
      const open = withSite(made, ['--failure', 'open', '--config=none', ...LIMITED], {
        PBOX_TIMEOUT: '1h',
        PBOX_CGROUP: 'off',
      });
      t.equal(open.status, 124, open.stderr);
      t.equal(open.stdout, '77\nran\n', "the job runs, and its command line's limits hold");
      t.match(
        open.stderr,
        /config\.yaml.*; the job runs with its command line's limits and nothing else of a box \(--failure open\)/,
      );
      t.equal(open.stderr.match(/proc_box: error/g)?.length, 1, open.stderr);
    },
  );
}

t.test(
  "bad words of a user's cost neither the command line's limits nor the site's",
  { skip: !possible && 'needs unshare --mount' },
  async (t) => {
    const site = 'printf "rlimit: core=0\\ntimeout: 300ms\\nstop-signal: KILL\\nlocked: timeout\\n" >$F';
    const limited = ['--failure', 'open', '-uri', 'none', '--rlimit', 'nofile=77'];
    const cases: readonly (readonly [string, readonly string[], Record<string, string>, RegExp])[] = [
      ['a variable', [], { PBOX_MEMORY: 'much' }, /PBOX_MEMORY/],
      ['a variable that is locked', [], { PBOX_TIMEOUT: '1h' }, /PBOX_TIMEOUT: the site has locked/],
      ['a word that is locked', ['--timeout=unlimited'], {}, /--timeout: the site has locked/],
      ['a config file that is not there', [], { PBOX_CONFIG: '/nowhere' }, /\/nowhere|certificate/],
      ['a config file that is a folder', ['--config', '/'], {}, /EISDIR/],
      ['an unknown word with a value', ['--memry', '4G'], {}, /memry/],
      ['a value that is missing', ['--memory', '--rows', '5'], {}, /--memory/],
      [
        'both of a pair',
        ['--uri-file', '/nowhere'],
        { PBOX_URI_FILE: '/nowhere', PBOX_TLS_KEY: '/nowhere' },
        /nowhere|certificate/,
      ],
      ['a limit that cannot be held', ['--cgroup', 'off', '--cpus', '1', '--enforce', 'strict'], {}, /cpus/],
    ];
    for (const [what, words, env, why] of cases) {
      const ran = withSite(site, [...limited, ...words, '--', ...SHOW], env);
      t.equal(ran.stdout, '77\nran\n', what);
      t.equal(ran.status, 124, `${what}: ${ran.stderr}`);
      t.match(ran.stderr, why, what);
      t.match(ran.stderr, /; the job runs in a box .*\(--failure open\)/, what);
    }
  },
);
