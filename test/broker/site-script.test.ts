import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { SITE } from '../fixtures/rabbitmq-site.js';
import { temporaryFolder } from '../fixtures/run.js';

/** What scripts/site/rabbitmq/proc_box-rabbitmq says and does with a rabbitmqctl that does not do what it is asked for. */

const RABBITMQ_UID = Number(spawnSync('id', ['-u', 'rabbitmq'], { encoding: 'utf8' }).stdout.trim() || -1);

/** A rabbitmqctl whose commands do these lines of sh; `$file` is the definitions of an import. */
function withFake(t: Test, commands: Readonly<Record<string, string>>) {
  const dir = temporaryFolder(t);
  chmodSync(dir, 0o755);
  const uris = join(dir, 'uris');
  mkdirSync(uris);
  const defaults = {
    list_vhosts: `echo '[{"name":"/"},{"name":"proc_box"}]'`,
    list_users: `echo '[{"user":"guest","tags":["administrator"]},{"user":"alice","tags":[]}]'`,
    import_definitions: `cat "$file" >${dir}/imported; stat -c '%a %u' "$file" >${dir}/stat`,
    delete_user: ':',
  };
  const cases = Object.entries({ ...defaults, ...commands }).map(([name, lines]) => `${name}) ${lines} ;;`);
  writeFileSync(
    join(dir, 'rabbitmqctl'),
    `#!/bin/sh
echo "$@" >>${dir}/calls
[ -z "$(cat)" ] || { echo 'there is something on stdin'; exit 99; }
for word; do case $word in -q | --formatter | json) ;; *) command=\${command:-$word}; file=$word ;; esac; done
case $command in
${cases.join('\n')}
esac
`,
    { mode: 0o755 },
  );
  const run = (...words: string[]) => {
    const { status, stdout, stderr } = spawnSync(join(SITE, 'proc_box-rabbitmq'), ['--uri-dir', uris, ...words], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], RABBITMQCTL: join(dir, 'rabbitmqctl') },
      timeout: 20_000,
    });
    return { status, stdout, stderr };
  };
  const read = (name: string) => (existsSync(join(dir, name)) ? readFileSync(join(dir, name), 'utf8') : '');
  return { run, read, uris };
}

t.test('tells what it has done after it was done, and gives the definitions in a file', async (t) => {
  const { run, read, uris } = withFake(t, {});
  t.strictSame(run('add-user', 'alice', 'bob'), {
    status: 0,
    stdout: '',
    stderr: `user bob: made, with the permissions of a user in vhost proc_box
  ${uris}/bob: URI with the password of bob
user alice: existed, keeps its password, and has the permissions of a user in vhost proc_box
`,
  });
  const { users, permissions, topic_permissions } = JSON.parse(read('imported'));
  t.strictSame(
    users.map(({ name }: { name: string }) => name),
    ['bob'],
  );
  t.equal(permissions.length, 2);
  t.equal(topic_permissions.length, 4);
  t.notOk(read('calls').includes(users[0].password), 'the password is no argument');
  t.match(readFileSync(join(uris, 'bob'), 'utf8'), `amqp://bob:${users[0].password}@localhost/proc_box`);
  t.equal(statSync(join(uris, 'bob')).mode & 0o777, 0o600);
  const [mode, owner] = read('stat').trim().split(' ');
  t.equal(mode, '600');
  if (process.getuid?.() === 0 && RABBITMQ_UID >= 0) t.equal(Number(owner), RABBITMQ_UID, 'rabbitmqctl can read it');
  t.notOk(existsSync(read('calls').trim().split(' ').at(-1)!), 'and it is gone');
});

for (const [what, commands, words, stderr] of [
  [
    'the import fails',
    { import_definitions: 'echo "Error: boom"; exit 70' },
    ['add-user', 'bob', 'carol', 'alice'],
    /^ {2}Error: boom\nproc_box-rabbitmq: giving bob carol alice the permissions of a user: failed, because \S+ import_definitions ended with status 70\n$/,
  ],
  [
    'the broker is not there',
    { list_vhosts: 'echo "Error: unable to perform an operation on node" >&2; exit 69' },
    ['add-operator', 'op-olga'],
    /^ {2}Error: unable .*\nproc_box-rabbitmq: asking the broker for its vhosts: failed, because \S+ list_vhosts ended with status 69\n$/,
  ],
  [
    'users cannot be listed',
    { list_users: 'exit 64' },
    ['add-collector', 'collect'],
    /^proc_box-rabbitmq: asking the broker for its users: failed, because \S+ list_users ended with status 64\n$/,
  ],
  [
    'there is no vhost',
    { list_vhosts: `echo '[{"name":"/"}]'` },
    ['add-user', 'bob'],
    /^proc_box-rabbitmq: vhost proc_box does not exist: run "setup" first; nothing was changed\n$/,
  ],
  [
    'setup fails',
    { import_definitions: 'exit 65' },
    ['setup'],
    /^proc_box-rabbitmq: setting up vhost proc_box: failed, because \S+ import_definitions ended with status 65\n$/,
  ],
  [
    'a user cannot be removed',
    { delete_user: 'case $file in alice) exit 75 ;; esac' },
    ['remove', 'alice', 'guest', 'bob'],
    /^proc_box-rabbitmq: removing user alice: failed, because \S+ delete_user ended with status 75\nuser guest: removed\nuser bob: did not exist\n$/,
  ],
] as const)
  t.test(`where ${what}, it says so, promises nothing, and ends with 1`, async (t) => {
    const { run, read, uris } = withFake(t, commands);
    const result = run(...words);
    t.equal(result.status, 1);
    t.match(result.stderr, stderr);
    const imported = /import_definitions (\S+)/.exec(read('calls'))?.[1];
    if (imported !== undefined) t.notOk(existsSync(imported), 'the file with the passwords is gone');
    for (const name of ['bob', 'carol', 'op-olga', 'collect'])
      t.notOk(existsSync(join(uris, name)), 'no file has the password of a user that was not made');
  });

t.test('a rabbitmqctl that is not there is named', async (t) => {
  const { status, stderr } = spawnSync(join(SITE, 'proc_box-rabbitmq'), ['setup'], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], RABBITMQCTL: '/no/such/rabbitmqctl' },
  });
  t.equal(status, 1);
  t.match(stderr, /not found\nproc_box-rabbitmq: setting up vhost proc_box: failed, .* ended with status 127\n$/);
});

t.test('a wrong command line is status 2, before anything is asked of the broker', async (t) => {
  const { run, read } = withFake(t, {});
  for (const words of [
    ['add-user'],
    ['add-user', 'a b'],
    ['frobnicate'],
    ['--frobnicate'],
    ['remove'],
    ['remove', '../x'],
  ])
    t.equal(run(...words).status, 2, words.join(' '));
  t.equal(read('calls'), '');
});
