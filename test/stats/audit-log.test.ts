import { spawnSync } from 'node:child_process';
import {
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { CommandEvent, EventHead } from '../../src/model/event.js';
import type { Answer } from '../../src/model/types.js';
import { commandEvent, refusalEvent } from '../../src/stats/audit.js';
import { createAuditLog } from '../../src/stats/audit-log.js';
import { temporaryFolder } from '../fixtures/run.js';
import { identity } from '../fixtures/samples.js';

const dir = temporaryFolder(t);
const head = { version: 1, sequence: 1, time: '2026-11-23T16:42:42.333Z', identity, state: 'running' } as const;
const by = { via: 'amqp', messageId: 'm1', user: 'ops' } as const;
const done: Answer = { ok: true, result: { processes: 1 } };
const event = (
  body: CommandEvent = commandEvent({ name: 'kill', signal: 15 }, by, done),
): EventHead & CommandEvent => ({
  ...head,
  ...body,
});
const linesOf = (path: string) =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

/** Appends, closes, and gives the warnings. */
async function write(path: string, ...events: (EventHead & CommandEvent)[]): Promise<string[]> {
  const warnings: string[] = [];
  const note = (line: string) => warnings.push(line);
  const log = createAuditLog(path, { error: note, warn: note, info() {}, debug() {} });
  for (const one of events) log.append(one);
  await log.close(10_000);
  return warnings;
}

t.test('a line tells when, where, what, who, and what came of it', async (t) => {
  const path = join(dir, 'audit');
  const answer = { ok: false, error: { code: 'forbidden', message: 'no' } } as const;
  const signed = { via: 'amqp', key: 'ops-1', signer: 'Olga' } as const;
  t.strictSame(await write(path, event(), event(refusalEvent('kill', ['TERM'], signed, answer))), []);
  const where = { time: head.time, box: identity.box, host: identity.host, job: identity.job, owner: identity.user };
  t.strictSame(linesOf(path), [
    {
      ...where,
      command: 'kill',
      arguments: { signal: 15 },
      sender: { user_id: 'ops' },
      message_id: 'm1',
      decision: 'accepted',
      outcome: 'ok',
    },
    {
      ...where,
      command: 'kill',
      arguments: ['TERM'],
      sender: { key: 'ops-1', signer: 'Olga' },
      message_id: null,
      decision: 'refused',
      outcome: 'forbidden',
      error: 'no',
    },
  ]);
  t.equal(statSync(path).mode & 0o777, 0o600);
});

t.test('several boxes may append to one file, and it may be rotated', async (t) => {
  const path = join(dir, 'shared');
  const many = Array.from({ length: 200 }, () => event());
  t.strictSame(await Promise.all([write(path, ...many), write(path, ...many), write(path, ...many)]), [[], [], []]);
  t.equal(linesOf(path).length, 600);
  rmSync(path);
  t.strictSame(await write(path, event()), []);
  t.equal(linesOf(path).length, 1);
});

t.test('what is not a plain file of ours is left alone', async (t) => {
  const target = join(dir, 'target');
  writeFileSync(target, '');
  const [link, hard, folder, fifo] = ['link', 'hard', 'folder', 'fifo'].map((name) => join(dir, name)) as [
    string,
    string,
    string,
    string,
  ];
  symlinkSync(target, link);
  t.match(await write(link, event()), [
    /link: it is a symbolic link: give the path of the file itself; the job continues/,
  ]);
  symlinkSync(join(dir, 'nowhere'), join(dir, 'dangling'));
  t.match(await write(join(dir, 'dangling'), event()), [/symbolic link/]);
  t.notOk(existsSync(join(dir, 'nowhere')));
  linkSync(target, hard);
  t.match(await write(hard, event()), [/several names/]);
  t.equal(readFileSync(target, 'utf8'), '');
  mkdirSync(folder);
  t.match(await write(folder, event()), [/EISDIR/]);
  t.equal(spawnSync('mkfifo', [fifo]).status, 0);
  t.match(await write(fifo, event()), [/not a regular file/], 'and nobody waits for its reader');
  t.match(await write(join(dir, 'no', 'such'), event()), [/ENOENT/]);
});

t.test("another user's file is left alone", { skip: process.getuid?.() !== 0 && 'needs root' }, async (t) => {
  const path = join(dir, 'theirs');
  writeFileSync(path, '');
  chownSync(path, 65534, 65534);
  t.match(await write(path, event()), [/belongs to another user \(uid 65534\)/]);
  t.equal(readFileSync(path, 'utf8'), '');
});

t.test(
  'a full disk costs lines and two warnings, never more',
  { skip: !existsSync('/dev/full') && 'needs /dev/full' },
  async (t) => {
    // As /dev/full is no plain file, a limit of this process on the size of files stands for the disk.
    const path = join(dir, 'full');
    const program = `
    import { createAuditLog } from ${JSON.stringify(join(import.meta.dirname, '../../src/stats/audit-log.ts'))};
    process.on('SIGXFSZ', () => {});
    const note = (line) => console.log(line);
    const log = createAuditLog(${JSON.stringify(path)}, { error: note, warn: note, info() {}, debug() {} });
    for (let i = 0; i < 20; i++) log.append(${JSON.stringify(event())});
    await log.close(10_000);`;
    const words = ['--fsize=1000', process.execPath, '--import', 'tsx', '--input-type=module', '-e', program];
    const { stdout, stderr } = spawnSync('prlimit', words, { encoding: 'utf8' });
    const warnings = stdout.trimEnd().split('\n');
    t.equal(warnings.length, 2, stdout + stderr);
    t.match(warnings, [/full: (the disk is full|EFBIG); the job continues, but lines are lost/, /\d+ lines were lost/]);
    const whole = readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line.endsWith('}'));
    t.ok(whole.length >= 3 && whole.every((line) => JSON.parse(line).command === 'kill'));
  },
);
