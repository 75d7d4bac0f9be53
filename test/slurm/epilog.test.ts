import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { PROC_BOX, temporaryFolder } from '../fixtures/run.js';

/** What root's epilog does with the folder that the user of a job can write to. Slurm itself is not needed for that. */

const EPILOG = new URL('../../scripts/site/slurm/prolog/epilog', import.meta.url);
const USER = 65534;
const NODE = 'n1';
const skip = process.getuid?.() === 0 ? false : 'needs root';

function site(t: Test) {
  const folder = temporaryFolder(t);
  const state = join(folder, 'state');
  chmodSync(folder, 0o755);
  mkdirSync(state, { mode: 0o755 });
  const epilog = join(folder, 'epilog');
  writeFileSync(epilog, readFileSync(EPILOG, 'utf8').replaceAll('@STATE@', state), { mode: 0o755 });
  return {
    folder,
    state,
    /** The folder of a job as the prolog makes it. @returns the part that belongs to the user */
    job(id: number): string {
      const own = join(state, `${NODE}.${id}`, 'own');
      mkdirSync(own, { recursive: true });
      writeFileSync(join(own, '..', 'policy'), `proc_box ${PROC_BOX}\nwait 0\ngroups \noptions \n`);
      chownSync(own, USER, USER);
      return own;
    },
    end(id: number) {
      const env = { SLURM_JOB_ID: String(id), SLURMD_NODENAME: NODE, SLURM_JOB_UID: String(USER) };
      const began = performance.now();
      const { status } = spawnSync(epilog, { env, encoding: 'utf8', timeout: 60_000 });
      return { status, elapsedMs: performance.now() - began };
    },
  };
}

t.test('the folder goes with the job, and what a link in it names stays', { skip }, async (t) => {
  const { folder, state, job, end } = site(t);
  const victim = join(folder, 'victim');
  mkdirSync(victim);
  writeFileSync(join(victim, 'file'), '');
  chownSync(victim, USER, USER);
  const own = job(1);
  symlinkSync(victim, join(own, 'link'));
  mkdirSync(join(own, 'locked'));
  writeFileSync(join(own, 'locked', 'file'), '');
  chownSync(join(own, 'locked'), USER, USER);
  chmodSync(join(own, 'locked'), 0o000);
  t.equal(end(1).status, 0);
  t.strictSame(readdirSync(state), []);
  t.ok(existsSync(join(victim, 'file')));
});

t.test('what the user cannot take away is put aside, and a later epilog goes on with it', { skip }, async (t) => {
  const { state, job, end } = site(t);
  const stubborn = join(job(1), 'stubborn');
  mkdirSync(stubborn);
  writeFileSync(join(stubborn, 'file'), '');
  const { status, elapsedMs } = end(1);
  t.equal(status, 0, 'no node is drained for that');
  t.ok(elapsedMs < 20_000, `${elapsedMs} ms`);
  const [left = ''] = readdirSync(state);
  t.match(left, /^left\.n1\.1\.\d+$/);
  t.ok(existsSync(join(state, left, 'own', 'stubborn', 'file')), 'root has removed nothing in there');

  job(2);
  t.equal(end(2).status, 0);
  t.strictSame(readdirSync(state), [left], 'it still cannot be removed, and holds up nobody');

  chownSync(join(state, left, 'own', 'stubborn'), USER, USER);
  job(3);
  t.equal(end(3).status, 0);
  t.strictSame(readdirSync(state), []);
});

t.test('a job without a folder, and one whose folder was emptied before', { skip }, async (t) => {
  const { state, job, end } = site(t);
  t.equal(end(1).status, 0);
  rmSync(job(2), { recursive: true });
  t.equal(end(2).status, 0);
  t.strictSame(readdirSync(state), []);
});
