import { chmodSync, chownSync, lstatSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { boxOf, openFolder, SPOOLED, spoolOwners } from '../../src/spool/folder.js';
import { temporaryFolder } from '../fixtures/run.js';

const uid = process.geteuid!();
const OTHER = 54_321;
const isRoot = uid === 0;

t.test('the box of a file is what comes before the first dot', async (t) => {
  t.equal(boxOf('box1.000001.spool'), 'box1');
  t.equal(boxOf('box1.000001.spool.bad'), 'box1');
});

t.test('what is missing is made for this user alone', async (t) => {
  const dir = join(temporaryFolder(t), 'a', 'spool');
  t.equal(await openFolder(dir, uid, false), undefined, 'nothing is made where nobody asks for it');
  t.strictSame(await spoolOwners(dir), []);
  {
    await using folder = (await openFolder(dir, uid, true))!;
    t.match(folder, { path: `${dir}/${uid}`, uid });
    t.equal(folder.shown('x'), `${dir}/${uid}/x`);
    t.equal(lstatSync(dir).mode & 0o7777, 0o700);
    t.equal(lstatSync(folder.path).mode & 0o7777, 0o700);
  }
  await using again = (await openFolder(dir, uid, true))!;
  t.equal(again.uid, uid, 'one that is there is taken');
  t.strictSame(await spoolOwners(dir), [uid]);
});

t.test('files are reached through the open directory, whatever becomes of its name', async (t) => {
  const dir = temporaryFolder(t);
  await using folder = (await openFolder(dir, uid, true))!;
  renameSync(folder.path, `${dir}/moved`);
  mkdirSync(folder.path);
  writeFileSync(folder.at('one.spool'), '');
  t.ok(lstatSync(`${dir}/moved/one.spool`).isFile());
  t.strictSame(await folder.names(SPOOLED), ['one.spool']);
});

t.test('names come in order, without those that no box gives', async (t) => {
  const dir = temporaryFolder(t);
  await using folder = (await openFolder(dir, uid, true))!;
  const long = 'x'.repeat(200);
  for (const name of ['b.2.spool', 'b.1.spool', 'a b.spool', 'ä.spool', 'c.1.spool.bad', `${long}.spool`, '.spool'])
    writeFileSync(folder.at(name), '');
  t.strictSame(await folder.names(SPOOLED), ['.spool', 'b.1.spool', 'b.2.spool']);
  t.strictSame(await folder.names('.bad'), ['c.1.spool.bad']);
});

t.test('owners are numbers, the lowest first', async (t) => {
  const dir = temporaryFolder(t);
  for (const name of ['10', '9', 'alice', '1x', '12345678901']) mkdirSync(join(dir, name));
  t.strictSame(await spoolOwners(dir), [9, 10]);
});

t.test('a directory that others could have swapped is refused', async (t) => {
  const dir = temporaryFolder(t);
  const parent = {
    name: 'EnvironmentError',
    message: `spool ${dir}: others could replace its entries; it must belong to root or to this user, and must have the sticky bit if others may write to it: chmod 1777 ${dir}`,
  };
  for (const mode of [0o777, 0o770, 0o702]) {
    chmodSync(dir, mode);
    await t.rejects(openFolder(dir, uid, true), parent, mode.toString(8));
  }
  chmodSync(dir, 0o1777);
  await (await openFolder(dir, uid, true))![Symbol.asyncDispose]();
  chmodSync(dir, 0o700);
  chmodSync(join(dir, `${uid}`), 0o750);
  await t.rejects(openFolder(dir, uid, true), {
    name: 'EnvironmentError',
    message: `spool ${dir}/${uid}: it belongs to uid ${uid} with mode 0750; expected uid ${uid} and mode 0700: remove it`,
  });
});

t.test('a directory of somebody else is refused', { skip: !isRoot && 'only root can give a file away' }, async (t) => {
  const dir = temporaryFolder(t);
  mkdirSync(join(dir, `${uid}`), { mode: 0o700 });
  chownSync(join(dir, `${uid}`), OTHER, OTHER);
  await t.rejects(openFolder(dir, uid, true), { message: /it belongs to uid 54321 with mode 0700; expected uid 0/ });
  chownSync(dir, OTHER, OTHER);
  await t.rejects(openFolder(dir, uid, true), { message: /others could replace its entries/ });
});

t.test('what is no directory is named, with what to do', async (t) => {
  const dir = temporaryFolder(t);
  const remove = (path: string) => ({
    name: 'EnvironmentError',
    message: `spool ${path}/${uid}: it is not a directory: remove it`,
  });
  writeFileSync(join(dir, 'file'), '');
  await t.rejects(openFolder(join(dir, 'file'), uid, true), remove(join(dir, 'file')));
  await t.rejects(openFolder(join(dir, 'file'), uid, false), remove(join(dir, 'file')));
  await t.rejects(spoolOwners(join(dir, 'file')), {
    name: 'EnvironmentError',
    message: `spool ${dir}/file: it is not a directory: remove it`,
  });
  for (const create of [true, false]) {
    const spool = join(temporaryFolder(t), 's');
    mkdirSync(join(spool, 'elsewhere'), { recursive: true, mode: 0o700 });
    symlinkSync(join(spool, 'elsewhere'), join(spool, `${uid}`));
    await t.rejects(openFolder(spool, uid, create), remove(spool), 'a symbolic link is not followed');
  }
});

t.test('other failures of the disk keep their reason', async (t) => {
  await t.rejects(openFolder('/proc/none', uid, true), {
    name: 'EnvironmentError',
    message: new RegExp(`^spool /proc/none/${uid}: .*ENOENT`),
  });
  await t.rejects(spoolOwners('x'.repeat(300)), { name: 'EnvironmentError', message: /^spool x+: ENAMETOOLONG/ });
});
