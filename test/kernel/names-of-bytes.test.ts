import { spawnSync } from 'node:child_process';
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { access, makeDirectory, readText, removeDirectory } from 'cgroup-utils-native';
import t, { type Test } from 'tap';
import { bytesOf, fsPath, shown, textOf } from '../../src/bytes.js';
import { findHierarchies } from '../../src/cgroup/hierarchy.js';
import { unique } from '../fixtures/broker.js';
import { ownGroup, withoutV1 } from '../fixtures/cgroups.js';
import { PROC_BOX, temporaryFolder } from '../fixtures/run.js';

/** Names are bytes to the kernel: groups, files and folders that are named in UTF-8, Latin-1, or anything else. */

const NAMES: Readonly<Record<string, Buffer>> = {
  'UTF-8': Buffer.from('größe-日本-😀'),
  'Latin-1': Buffer.from('gr\xf6\xdfe', 'latin1'),
  'both, with a replacement character': Buffer.from([0xef, 0xbf, 0xbd, 0xe9, 0x41, 0xc3, 0xa9, 0xff, 0xf0, 0x9f]),
  'a blank and a backslash': Buffer.from('a b\\c'),
};

/** proc_box with words that are bytes: spawn(2) of Node knows text only. */
function procBox(words: readonly (string | Buffer)[]) {
  const quoted = words.map((word) => Buffer.concat([Buffer.from("'"), Buffer.from(word), Buffer.from("' ")]));
  const script = Buffer.concat([Buffer.from(`exec '${PROC_BOX}' `), ...quoted]);
  return spawnSync('sh', ['-s'], { input: script, encoding: 'latin1', env: { PATH: process.env['PATH'] ?? '' } });
}

const inFolder = (folder: string, name: Buffer, more = '') =>
  Buffer.concat([Buffer.from(`${folder}/`), name, Buffer.from(more)]);

function group(t: Test, controller: string, name: Buffer): Buffer {
  const path = inFolder(
    ownGroup(controller) as string,
    Buffer.concat([Buffer.from(`${unique('proc_box-test')}-`), name]),
  );
  mkdirSync(path);
  t.teardown(() => rmdirSync(path));
  return path;
}

for (const [kind, name] of Object.entries(NAMES)) {
  t.test(`a name in ${kind} comes back as it was`, async (t) => {
    const text = textOf(name);
    t.ok(bytesOf(text).equals(name));
    t.ok(shown(text).isWellFormed());
    const folder = `${temporaryFolder(t)}/${text}`;
    t.equal(makeDirectory(folder), null);
    t.equal(access(folder), null);
    writeFileSync(fsPath(`${folder}/${text}`), name);
    t.equal(readText(`${folder}/${text}`), text);
  });

  t.test(`a control group in ${kind} around the box`, { skip: withoutV1('pids', 'memory') }, async (t) => {
    const [pids, memory] = [group(t, 'pids', name), group(t, 'memory', name)];
    const join = [pids, memory]
      .map((path) => Buffer.concat([Buffer.from("echo $$ > '"), path, Buffer.from("/cgroup.procs'; ")]))
      .reduce((all, one) => Buffer.concat([all, one]));
    const command = `exec '${PROC_BOX}' -uri none --config none --pids 20 --memory 64M -- cat /proc/self/cgroup`;
    const { stdout, stderr, status } = spawnSync('sh', ['-s'], {
      input: Buffer.concat([join, Buffer.from(command)]),
      encoding: 'latin1',
    });
    t.equal(status, 0, stderr);
    t.match(stderr, /memory=64 MiB \(cgroup1\), pids=20 \(cgroup1\)/);
    const below = `${name.toString('latin1')}/proc_box-`;
    t.equal(stdout.split('\n').filter((line) => line.includes(below)).length >= 2, true, stdout);
  });

  t.test(`files and folders in ${kind} that options name`, async (t) => {
    const folder = temporaryFolder(t);
    const config = inFolder(folder, name, '.yaml');
    writeFileSync(config, 'grace: nonsense\n');
    const refused = procBox(['--config', config, '-uri', 'none', 'true']);
    t.equal(refused.status, 125);
    t.match(refused.stderr, /grace/, 'the file was read');
    writeFileSync(config, 'pss: false\n');
    const audit = inFolder(folder, name, '.log');
    const spool = inFolder(folder, name, '-spool');
    const uri = inFolder(folder, name, '.uri');
    writeFileSync(uri, 'amqp://guest:guest@127.0.0.1:1\n', { mode: 0o600 });
    const { status, stderr, stdout } = procBox([
      '--config',
      config,
      '--uri-file',
      uri,
      '--json',
      Buffer.concat([Buffer.from('{"of": "'), name.filter((byte) => byte !== 0x5c), Buffer.from('"}')]),
      '--audit-log',
      audit,
      '--spool-dir',
      spool,
      '--flush',
      '200ms',
      'echo',
      name,
    ]);
    t.equal(status, 0, stderr);
    t.equal(stdout, `${name.toString('latin1')}\n`, 'the words of the job are its own');
    t.notMatch(stderr, /ENOENT|internal error/);
    t.equal(
      spawnSync('ls', ['-a', folder], { encoding: 'latin1' }).stdout.includes(`${name.toString('latin1')}-spool`),
      true,
    );
  });
}

t.test('mountinfo and /proc/PID/cgroup as the kernel writes them', (t) => {
  const mountinfo = '30 25 0:26 / /sys/fs/cgroup\\040b\\134c/pids rw - cgroup cgroup rw,pids';
  const { v1 } = findHierarchies(mountinfo, '4:pids:/größe/\udce9');
  t.strictSame(v1.get('pids'), {
    dir: '/sys/fs/cgroup b\\c/pids/größe/\udce9',
    mount: '/sys/fs/cgroup b\\c/pids',
  });
  t.end();
});

t.test('a group that was made in Latin-1 can be taken away', { skip: withoutV1('pids') }, async (t) => {
  const path = `${ownGroup('pids')}/${unique('proc_box-test')}-\udce9`;
  t.equal(makeDirectory(path), null);
  t.equal(removeDirectory(path), null);
});
