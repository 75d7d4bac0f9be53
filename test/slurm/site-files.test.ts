import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { SITE } from '../fixtures/prolog-site.js';
import { temporaryFolder } from '../fixtures/run.js';

/** The installers and the files of the site that they change, without a Slurm. */

const LATIN1 = Buffer.from('# Universit\xe4t\nClusterName=x\n', 'latin1');

function etcOf(t: Test) {
  const root = temporaryFolder(t);
  chmodSync(root, 0o755);
  const etc = join(root, 'etc');
  const lib = join(root, 'a', 'lib');
  mkdirSync(etc, { mode: 0o755 });
  chmodSync(etc, 0o755);
  writeFileSync(join(etc, 'slurm.conf'), LATIN1);
  const run = (verb: string, way: string, ...more: string[]) =>
    spawnSync(
      'sh',
      ['-c', 'umask 077; exec "$@"', 'sh', process.execPath, SITE, verb, way, '--etc', etc, '--lib', lib, ...more],
      {
        encoding: 'utf8',
      },
    );
  return { root, etc, lib, conf: join(etc, 'slurm.conf'), run };
}

const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8);

t.test('slurm.conf that is a link stays one, and the file keeps owner, mode and bytes', async (t) => {
  const { root, etc, conf, run } = etcOf(t);
  const real = join(root, 'shared', 'real.conf');
  mkdirSync(dirname(real));
  writeFileSync(real, LATIN1, { mode: 0o640 });
  chmodSync(real, 0o640);
  const root0 = process.getuid?.() === 0;
  if (root0) chownSync(real, 65534, 65534);
  const acl = spawnSync('setfacl', ['-m', 'u:1:r', real]).status === 0;
  spawnSync('rm', [conf]);
  symlinkSync('../shared/link', conf);
  symlinkSync('real.conf', join(root, 'shared', 'link'));
  const before = spawnSync('getfacl', ['-cn', real], { encoding: 'utf8' }).stdout;
  for (const verb of ['install', 'remove']) {
    const { status, stderr } = run(verb, 'job-submit');
    t.equal(status, 0, stderr);
    t.equal(readlinkSync(conf), '../shared/link');
    t.equal(readlinkSync(join(root, 'shared', 'link')), 'real.conf');
    t.equal(modeOf(real), '640');
    if (root0) t.strictSame([statSync(real).uid, statSync(real).gid], [65534, 65534]);
    if (acl) t.equal(spawnSync('getfacl', ['-cn', real], { encoding: 'utf8' }).stdout, before, 'its ACL');
    t.ok(
      readFileSync(real).subarray(0, LATIN1.length).equals(LATIN1),
      'what others have written, in whatever encoding',
    );
    t.equal(readFileSync(real, 'latin1').includes('JobSubmitPlugins=lua'), verb === 'install');
  }
  t.ok(readFileSync(real).equals(LATIN1), 'as before');
  t.strictSame(
    spawnSync('ls', [join(root, 'shared')], { encoding: 'utf8' })
      .stdout.split('\n')
      .sort()
      .join(' ')
      .trim(),
    'link real.conf',
  );
  t.ok(existsSync(etc));
});

t.test('a file with two names, and links to nothing', async (t) => {
  const { root, etc, conf, run } = etcOf(t);
  linkSync(conf, join(root, 'backup.conf'));
  t.equal(run('install', 'job-submit').status, 0);
  t.match(readFileSync(join(root, 'backup.conf'), 'latin1'), 'JobSubmitPlugins=lua', 'both are the same file');
  t.equal(run('remove', 'job-submit').status, 0);
  symlinkSync('/nowhere/file', join(etc, 'proc_box.lua'));
  const refused = run('install', 'job-submit');
  t.match(refused, {
    status: 1,
    stderr: /proc_box\.lua is a link to a file that does not exist.*\nnothing was changed\n/,
  });
  t.ok(lstatSync(join(etc, 'proc_box.lua')).isSymbolicLink());
  t.ok(readFileSync(conf).equals(LATIN1));
});

t.test('under umask 077 every user can read and run what tasks need', async (t) => {
  const { root, etc, lib, run } = etcOf(t);
  const job = run('install', 'job-submit');
  t.equal(job.status, 0, job.stderr);
  const prolog = run('install', 'prolog', '--state', join(root, 'run'));
  t.equal(prolog.status, 0, prolog.stderr);
  for (const folder of [join(root, 'a'), lib, join(lib, 'prolog')]) t.equal(modeOf(folder), '755', folder);
  for (const name of ['proc_box-shebang', 'prolog/prolog', 'prolog/task-prolog', 'prolog/task-epilog', 'prolog/epilog'])
    t.equal(modeOf(join(lib, name)), '755', name);
  for (const name of ['proc_box_prolog.conf', 'proc_box.lua', 'proc_box_policy.lua', 'job_submit.lua', 'slurm.conf'])
    t.equal(modeOf(join(etc, name)), '644', name);
  if (process.getuid?.() !== 0) return;
  const asUser = [
    '--reuid',
    '65534',
    '--regid',
    '65534',
    '--clear-groups',
    'sh',
    '-n',
    join(lib, 'prolog', 'task-prolog'),
  ];
  t.equal(spawnSync('setpriv', asUser).status, 0);
});
