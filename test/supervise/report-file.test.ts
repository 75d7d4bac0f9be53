import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import t, { type Test } from 'tap';
import type { EventHead, Exited } from '../../src/model/event.js';
import { fillIn, writeReportFile } from '../../src/supervise/report-file.js';
import type { OwnFiles, Subject } from '../../src/supervise/subject.js';
import { jobIdentity, linesLogger } from '../fixtures/light.js';
import { temporaryFolder } from '../fixtures/run.js';

const identity = jobIdentity({ job: '7', step: null, host: 'n1', box: 'b1' });
const report = { event: 'exited', identity, exit_status: 0 } as unknown as EventHead & Exited;
const TEXT = `${JSON.stringify(report, null, 2)}\n`;

async function write(path: string, folder: string, files: Partial<OwnFiles> = {}): Promise<string[]> {
  const { log, lines } = linesLogger();
  const subject = { files: () => ({ home: undefined, folder, owner: null, ...files }) } as unknown as Subject;
  await writeReportFile({ report, path, subject, log });
  return lines;
}

const read = (path: string) => readFileSync(path, 'utf8');

t.test('names in braces are those of the job, and stay within one name', async (t) => {
  t.equal(fillIn('r-{job}.{step}.{task}-{host}-{box}.json', identity), 'r-7.none.none-n1-b1.json');
  t.equal(fillIn('{user}-{job', identity), '{user}-{job', 'others are left');
  const hostile = jobIdentity({ job: '../../etc/x', step: '..', host: 'a\nb', box: '.hidden' });
  t.equal(fillIn('{job}/{step}/{host}/{box}', hostile), '___.._etc_x/__/a_b/_hidden');
  t.equal(fillIn('{job}', jobIdentity({ job: 'x'.repeat(500) })), 'x'.repeat(128));
});

t.test('the report is written where the option says', async (t) => {
  const dir = temporaryFolder(t);
  mkdirSync(`${dir}/home`);
  t.strictSame(await write(`${dir}/absolute-{job}`, '/'), []);
  t.equal(read(`${dir}/absolute-7`), TEXT);
  t.strictSame(await write('relative', dir), []);
  t.equal(read(`${dir}/relative`), TEXT);
  t.strictSame(await write('~/at-home', '/', { home: `${dir}/home` }), []);
  t.equal(read(`${dir}/home/at-home`), TEXT);
  mkdirSync(`${dir}/~`);
  t.strictSame(await write('~/no-home', dir), []);
  t.equal(read(`${dir}/~/no-home`), TEXT, 'a home that is not known');
  t.strictSame(readdirSync(dir).sort(), ['absolute-7', 'home', 'relative', '~'], 'nothing unfinished is left');
});

async function replaces(t: Test, owner: OwnFiles['owner']) {
  const dir = temporaryFolder(t);
  chmodSync(dir, 0o777);
  writeFileSync(`${dir}/old`, 'old');
  symlinkSync('old', `${dir}/link`);
  if (owner !== null) chownSync(`${dir}/old`, owner.uid, owner.gid);
  t.strictSame(await write('link', dir, { owner }), []);
  t.equal(read(`${dir}/old`), TEXT, 'what a link names is replaced');
  t.strictSame(readdirSync(dir).sort(), ['link', 'old']);
  if (owner !== null) t.equal(statSync(`${dir}/old`).uid, owner.uid);
  mkdirSync(`${dir}/folder`);
  t.match(await write('folder', dir, { owner }), [
    `proc_box: warn: --report-file: the report is not in "${dir}/folder": it exists, but is not a regular file`,
  ]);
}

t.test('an older report is replaced as a whole', (t) => replaces(t, null));

t.test(
  "a supervisor of root's writes it with the rights of its user",
  { skip: process.geteuid?.() !== 0 && 'only root may become another user' },
  async (t) => {
    const owner = { uid: 54_321, gid: 54_321 };
    await replaces(t, owner);
    const dir = temporaryFolder(t);
    t.match(await write('report', dir, { owner }), [/the report is not in ".*\/report": .*[Pp]ermission denied/]);
  },
);

t.test('what goes wrong is a warning with advice', async (t) => {
  const dir = temporaryFolder(t);
  t.strictSame(await write('none/report', dir), [
    `proc_box: warn: --report-file: the report is not in "${dir}/none/report": folder "${dir}/none" does not exist: make it before the job starts`,
  ]);
  writeFileSync(`${dir}/file`, '');
  t.match(await write('file/report', dir), [/the report is not in ".*\/file\/report": ENOTDIR/]);
});
