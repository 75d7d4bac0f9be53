import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { SlurmCluster } from '../../../scripts/dev/slurm-cluster.mjs';
import { groups, PATIENCE_MS, until } from './box.js';
import { CHECKOUT } from './setting.js';

/** A real Slurm with cgroup/v2: it finds processes by the list of a task's own group, so a box has to leave them there. */

const PROC_BOX = process.env['PROC_BOX_UNDER_TEST'] ?? '';
const SITE = join(CHECKOUT, 'scripts/site/slurm/site.mjs');
const USER = 7000;
const limited = { timeout: 3 * PATIENCE_MS };
const LIMITS = '--memory 64M --pids 30';

let slurm: SlurmCluster;
let work: string;

describe('Slurm', () => {
  before(
    async () => {
      prepareMachine();
      // From where it is: a bundle does not know its own place.
      slurm = await (await import(join(CHECKOUT, 'scripts/dev/slurm-cluster.mjs'))).startSlurm();
      work = join(slurm.dir, 'work');
    },
    { timeout: 3 * PATIENCE_MS },
  );
  after(() => slurm?.stop(), { timeout: PATIENCE_MS });

  for (const [who, uid] of [
    ['root', 0],
    ['an ordinary user', USER],
  ] as const) {
    describe(who, () => {
      test('scancel: TERM reaches the job, and the reason is told', limited, () => cancelled(uid));
      test('scancel of a step kills everything at once', limited, () => stepKilled(uid));
      test('scontrol suspend and resume: the timer waits', limited, () => suspended(uid));
    });
  }
  test('limits are held by sampling, and strict refuses', limited, heldBySampling);
  test('the SPANK plugin boxes tasks of ordinary users', limited, bySpank);
  test('the prolog way boxes tasks of ordinary users', limited, byProlog);
});

/** What an ordinary system has: an address beside 127.0.0.1, and systemd's group of services. */
function prepareMachine(): void {
  execFileSync('/run/proc_box-vm/busybox', ['ip', 'addr', 'add', '192.0.2.1/32', 'dev', 'lo']);
  const slice = '/sys/fs/cgroup/system.slice';
  mkdirSync(slice);
  for (const name of readFileSync(`${slice}/cgroup.controllers`, 'utf8').trim().split(' '))
    writeFileSync(`${slice}/cgroup.subtree_control`, `+${name}`);
}

interface Client {
  readonly text: () => string;
  readonly ended: Promise<number | null>;
}

function srun(uid: number, ...words: string[]): Client {
  const as = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
  const env = { ...slurm.env, PBOX_URI: 'none', PBOX_CONFIG: 'none' };
  const child = spawn(as[0]!, [...as.slice(1), 'srun', '-n1', ...words], {
    cwd: work,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return { text: () => text, ended: new Promise((resolve) => child.on('close', resolve)) };
}

const inBox = (options: string, script: string) => [
  PROC_BOX,
  '--report',
  ...options.split(' '),
  '--',
  'sh',
  '-c',
  script,
];

async function started(client: Client): Promise<string> {
  await until(
    () => /\bup\b/.test(client.text()),
    () => `the job says up: ${client.text()}`,
  );
  return (await slurm.command('squeue', '-h', '-o', '%A')).trim();
}

/** Slurm waits for what it still knows of; a directory that it cannot remove stays. */
async function nothingLeft(mark: string): Promise<void> {
  await until(
    () => jobGroups().length === 0 && !running(mark),
    () => `${jobGroups()} ${running(mark)}`,
  );
}

function jobGroups(): readonly string[] {
  try {
    return groups().filter((path) => /\/job_|proc_box-/.test(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return ['one that went while we looked'];
  }
}

function running(mark: string): boolean {
  return readdirSync('/proc').some(
    (pid) => /^\d+$/.test(pid) && textOf(`/proc/${pid}/cmdline`).includes(`sleep\0${mark}`),
  );
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return ''; // it has gone
  }
}

async function cancelled(uid: number) {
  const client = srun(
    uid,
    ...inBox(LIMITS, 'trap "exit 4" TERM; (setsid sleep 7001 &); echo up; while :; do sleep 0.2; done'),
  );
  const job = await started(client);
  await slurm.command('scancel', job);
  assert.equal(await client.ended, 4, client.text());
  assert.match(client.text(), /ended +scheduler: code 4/);
  await nothingLeft('7001');
}

async function stepKilled(uid: number) {
  const client = srun(uid, ...inBox(LIMITS, '(setsid sleep 7002 &); echo up; sleep 7002'));
  const job = await started(client);
  await slurm.command('scancel', `${job}.0`);
  assert.notEqual(await client.ended, 0);
  await nothingLeft('7002');
}

async function suspended(uid: number) {
  const client = srun(uid, ...inBox('--timeout 20s', 'echo up; sleep 8; echo done'));
  const job = await started(client);
  await slurm.command('scontrol', 'suspend', job);
  // Longer than the two seconds from which on a gap is no load; Slurm itself takes one until it freezes.
  await new Promise((resolve) => setTimeout(resolve, 6000));
  await slurm.command('scontrol', 'resume', job);
  assert.equal(await client.ended, 0, client.text());
  assert.match(client.text(), /SIGTSTP has suspended the job; SIGCONT resumes it/);
}

async function heldBySampling() {
  const bomb = srun(USER, ...inBox('--pids 20', 'echo up; for i in $(seq 60); do sleep 7003 & done; wait'));
  assert.equal(await bomb.ended, 137, bomb.text());
  assert.match(bomb.text(), /pids is held by sampling only: Slurm looks for the processes of a task in .* only/);
  assert.match(bomb.text(), /ended +pids: SIGKILL/);
  const strict = srun(0, PROC_BOX, '--memory', '64M', '--enforce', 'strict', '--', 'echo', 'never');
  assert.equal(await strict.ended, 125, strict.text());
  assert.doesNotMatch(strict.text(), /^never$/m);
  await nothingLeft('7003');
}

function site(...words: string[]): void {
  const args = [SITE, ...words, '--etc', slurm.etc, '--lib', join(slurm.dir, 'lib'), '--proc-box', PROC_BOX];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
}

async function bySpank() {
  site('install', 'spank');
  const client = srun(
    USER,
    '--box=memory=64M,pids=30,report',
    'sh',
    '-c',
    '(setsid sleep 7004 &); echo up; sleep 7004',
  );
  const job = await started(client);
  await slurm.command('scancel', `${job}.0`);
  await client.ended;
  assert.match(client.text(), /memory=64 MiB \(watchdog\), pids=30 \(watchdog\)/);
  await nothingLeft('7004');
  site('remove', 'spank');
}

async function byProlog() {
  const state = join(slurm.dir, 'run');
  site(
    'install',
    'prolog',
    '--state',
    state,
    '--option',
    'uri=none',
    '--option',
    'config=none',
    '--option',
    'timeout=3s',
  );
  await slurm.command('scontrol', 'reconfigure');
  const client = srun(USER, 'sh', '-c', 'echo up; sleep 7005');
  await started(client);
  assert.notEqual(await client.ended, 0);
  await nothingLeft('7005');
  await until(
    () => !existsSync(state) || readdirSync(state).length === 0,
    () => `the epilog has ended: ${readdirSync(state)}`,
  );
  site('remove', 'prolog', '--state', state);
}
