#!/usr/bin/env node
/**
 * A private Slurm on loopback: random free ports, all files in one directory, its own munge, no systemd. Needs root.
 * Several can run at the same time, because their node names, and so their control groups, differ.
 *
 *   node scripts/dev/slurm-cluster.mjs [nodes] [cgroup|linuxproc]     prints `export SLURM_CONF=...`; runs until SIGINT,
 *                                                                 SIGTERM or the end of stdin
 *
 * Its processes are munged, slurmctld and one slurmd per node, each in the foreground of its own session, and a shell that
 * waits on a pipe from this process. However this process ends, the shell then kills every process with our SLURM_CONF in its
 * environment (daemons, steps, jobs), and removes Slurm's control groups and the directory.
 */
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { hostname as hostName, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePorts } from './broker.mjs';
import { findProgram, plainEnvironment } from './setup.mjs';

const START_TIMEOUT_MS = 60_000;
const CANCEL_TIMEOUT_MS = 15_000;
/** A look is a command of Slurm: it takes CPU time that the daemons need to get ready. */
const PAUSE_PER_LOOK = 4;

const execute = promisify(execFile);

/**
 * @param {object} [options]
 * @param {number} [options.nodes] slurmd processes, each a node of its own @default 1
 * @param {number} [options.cpus] CPUs that each node declares, possibly more than exist @default 16
 * @param {'cgroup' | 'linuxproc' | 'pgid'} [options.proctrack] @default 'cgroup'
 * @param {number} [options.killWait] seconds from the scheduler's TERM to its KILL @default 5
 * @param {string} [options.conf] further lines for slurm.conf, with `DIR` for its directory
 * @param {string} [options.cgroupConf] further lines for cgroup.conf
 * @param {Record<string, string>} [options.files] further files in the directory of slurm.conf, e.g. `plugstack.conf`
 * @throws when a daemon is not installed or the nodes are not idle within a minute
 */
export async function startSlurm(options = {}) {
  if (process.getuid() !== 0) throw new Error("start slurmd: only root can run other users' jobs");
  if (missingProgram() !== undefined) {
    throw new Error(`${missingProgram()} is not installed: apt-get install slurmctld slurmd slurm-client munge`);
  }
  const count = options.nodes ?? 1;
  const [ctldPort, ...nodePorts] = await freePorts(1 + count);
  const dir = mkdtempSync(join(tmpdir(), 'proc_box-slurm-'));
  const nodes = nodePorts.map((port, index) => ({ name: `t${ctldPort}n${index + 1}`, port }));
  const cluster = { dir, ctldPort, nodes };
  const { etc, env } = writeFiles(cluster, options);
  const watcher = watch(cluster, env.SLURM_CONF);

  /** Slurm's commands; resolves to stdout. */
  const command = async (name, ...args) => (await execute(name, args, { env, maxBuffer: 64 << 20 })).stdout;
  const daemons = new Map();
  const start = (name, program, args) => {
    daemons.set(name, startDaemon(join(dir, 'log', `${name}.out`), program, args, env));
  };
  const startNode = (name) => start(`slurmd.${name}`, findProgram('slurmd'), ['-D', '-N', name, '-f', env.SLURM_CONF]);
  const startController = () => start('slurmctld', findProgram('slurmctld'), ['-D', '-f', env.SLURM_CONF]);

  /** Ends a daemon. The steps of a slurmd go on. */
  async function end(name) {
    const { child, ended } = daemons.get(name);
    child.ref();
    child.kill('SIGTERM');
    await ended;
  }

  async function stop() {
    await cancelAll(command).catch(ignoreNoAnswer);
    watcher.ref();
    const gone = new Promise((resolve) => watcher.on('exit', resolve));
    watcher.stdin.end();
    await gone;
  }

  try {
    start('munged', findProgram('munged'), mungeArguments(dir));
    await until(() => command('munge', '-n', '-S', join(dir, 'munge.socket')), daemons, dir);
    startController();
    for (const { name } of nodes) startNode(name);
    const idle = async () => {
      const states = (await command('sinfo', '-h', '-N', '-o', '%T')).trim().split('\n');
      if (states.length !== count || states.some((state) => state !== 'idle')) throw new Error(states.join());
    };
    await until(idle, daemons, dir);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    dir,
    /** The directory of slurm.conf. */
    etc,
    /** The environment for Slurm's commands. */
    env,
    nodes: nodes.map(({ name }) => name),
    command,
    stop,
    /** Sends a signal to a daemon: `slurmctld` or `slurmd.<node>`. */
    signal: (name, signal) => daemons.get(name).child.kill(signal),
    startController,
    /** Resolves when the controller answers again, for changes that need more than `scontrol reconfigure`. */
    async restartController() {
      await end('slurmctld');
      startController();
      await until(() => command('scontrol', 'show', 'config'), daemons, dir);
    },
    /** Restarts every slurmd, which loads plugins only at its start. Its steps go on. */
    async restartNodes() {
      await Promise.all(
        nodes.map(async ({ name }) => {
          await end(`slurmd.${name}`);
          startNode(name);
        }),
      );
    },
    /** Adds lines to slurm.conf, which take effect after `scontrol reconfigure` or a restart. */
    addConf: (lines) => appendFileSync(env.SLURM_CONF, `${lines}\n`),
    log: (name) => readFileSync(join(dir, 'log', `${name}.log`), 'utf8'),
  };
}

/** The first program of Slurm that is not installed. */
export function missingProgram() {
  return ['slurmctld', 'slurmd', 'srun', 'munged'].find((name) => findProgram(name) === undefined);
}

/** munged requires that all users can enter its socket's directory, and that only it can enter its key's. */
function mungeArguments(dir) {
  const own = join(dir, 'munge');
  mkdirSync(own, { mode: 0o700 });
  writeFileSync(join(own, 'key'), randomBytes(128), { mode: 0o400 });
  const files = { key: 'key', pid: 'pid', log: 'log', seed: 'seed' };
  const paths = Object.entries(files).map(([name, file]) => `--${name}-file=${join(own, file)}`);
  return ['-F', `--socket=${join(dir, 'munge.socket')}`, '--num-threads=2', ...paths];
}

function writeFiles({ dir, ctldPort, nodes }, { cpus = 16, proctrack = 'cgroup', killWait = 5, ...options }) {
  chmodSync(dir, 0o755);
  const etc = join(dir, 'etc');
  for (const name of [etc, join(dir, 'log'), join(dir, 'state')]) mkdirSync(name);
  mkdirSync(join(dir, 'work'));
  chmodSync(join(dir, 'work'), 0o1777);
  const host = hostName().split('.')[0];
  const memory = Math.floor(totalmem() / 2 ** 20 / nodes.length) - 64;
  const conf = `ClusterName=test${ctldPort}
SlurmctldHost=${host}(127.0.0.1)
SlurmctldPort=${ctldPort}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=${dir}/munge.socket
CredType=cred/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation=${dir}/state
SlurmdSpoolDir=${dir}/spool.%n
SlurmctldPidFile=${dir}/slurmctld.pid
SlurmdPidFile=${dir}/slurmd.%n.pid
SlurmctldLogFile=${dir}/log/slurmctld.log
SlurmdLogFile=${dir}/log/slurmd.%n.log
ProctrackType=proctrack/${proctrack}
TaskPlugin=task/${proctrack === 'cgroup' ? 'cgroup' : 'none'}
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=5
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=64
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
KillWait=${killWait}
MinJobAge=300
SlurmctldTimeout=60
SlurmdTimeout=60
PlugStackConfig=${etc}/plugstack.conf
${nodes
  .map(
    ({ name, port }) =>
      `NodeName=${name} NodeHostname=${host} NodeAddr=127.0.0.1 Port=${port} CPUs=${cpus} RealMemory=${memory}`,
  )
  .join('\n')}
PartitionName=main Nodes=${nodes.map(({ name }) => name).join(',')} Default=YES MaxTime=INFINITE State=UP
`;
  writeFileSync(join(etc, 'slurm.conf'), `${conf}${(options.conf ?? '').replaceAll('DIR', etc)}\n`);
  writeFileSync(join(etc, 'cgroup.conf'), `${cgroupPlugin()}\n${options.cgroupConf ?? ''}\n`);
  writeFileSync(join(etc, 'plugstack.conf'), '');
  for (const [name, text] of Object.entries(options.files ?? {})) {
    writeFileSync(join(etc, name), text.replaceAll('DIR', etc), { mode: 0o755 });
  }
  return { etc, env: { ...plainEnvironment(), SLURM_CONF: join(etc, 'slurm.conf') } };
}

/** Names the cgroup plugin, because Slurm's own detection refuses hosts with both versions of control groups. */
function cgroupPlugin() {
  const unified = / \/sys\/fs\/cgroup .* - cgroup2 /.test(readFileSync('/proc/self/mountinfo', 'utf8'));
  return unified ? 'CgroupPlugin=cgroup/v2\nIgnoreSystemd=yes' : 'CgroupPlugin=cgroup/v1\nCgroupAutomount=no';
}

function startDaemon(out, program, args, env) {
  const file = openSync(out, 'a');
  const child = spawn(program, args, { env, detached: true, stdio: ['ignore', file, file] });
  closeSync(file);
  child.unref();
  const ended = new Promise((resolve) => child.on('exit', resolve));
  return { child, ended };
}

/**
 * Kills the remaining processes when this process has ended, and removes the groups that slurmd and the prolog have made. It waits
 * on a pipe, so it notices even SIGKILL.
 */
function watch({ dir, nodes }, conf) {
  const program = `cat >/dev/null
dir=$1 conf=$2; shift 2
left() { grep -lzsxF "SLURM_CONF=$conf" /proc/[0-9]*/environ | cut -d/ -f3; }
n=0; while [ $n -lt 100 ] && pids=$(left) && [ -n "$pids" ]; do kill -9 $pids 2>/dev/null; sleep 0.05; n=$((n+1)); done
for node; do
  for group in /sys/fs/cgroup/*/slurm_$node /sys/fs/cgroup/*/proc_box.$node.*; do
    [ -d "$group" ] && find "$group" -depth -type d -exec rmdir {} \\; 2>/dev/null
  done
done
rm -rf "$dir" || { sleep 1; rm -rf "$dir"; }
exit 0`;
  const args = ['-c', program, 'slurm-watch', dir, conf, ...nodes.map(({ name }) => name)];
  const watcher = spawn('/bin/sh', args, { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  watcher.unref();
  watcher.stdin.unref?.();
  watcher.stdin.on('error', (error) => {
    if (error.code !== 'EPIPE') throw error; // the shell has already ended
  });
  return watcher;
}

async function cancelAll(command) {
  const jobs = async () => (await command('squeue', '-h', '-o', '%A')).split('\n').filter(Boolean);
  const left = [...new Set(await jobs())];
  if (left.length > 0) await command('scancel', ...left);
  const deadline = Date.now() + CANCEL_TIMEOUT_MS;
  while (Date.now() < deadline && (await jobs()).length > 0) await sleep(100);
}

/** squeue and scancel end with 1 if the controller has gone or is late. The shell then kills the remaining processes. */
function ignoreNoAnswer(error) {
  if (error.code !== 1) throw error;
}

async function until(works, daemons, dir) {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    const looked = performance.now();
    try {
      return await works();
    } catch (error) {
      const dead = [...daemons].find(([, { child }]) => child.exitCode !== null || child.signalCode !== null);
      if (dead !== undefined || Date.now() > deadline) {
        throw new Error(`${dead?.[0] ?? 'Slurm'} did not start; the end of its logs:\n${endOfLogs(dir)}`, {
          cause: error,
        });
      }
      await sleep(PAUSE_PER_LOOK * (performance.now() - looked));
    }
  }
}

function endOfLogs(dir) {
  const logs = readdirSync(join(dir, 'log')).map((name) => [name, readFileSync(join(dir, 'log', name), 'utf8')]);
  return logs.map(([name, text]) => `${name}:\n${text.trim().split('\n').slice(-8).join('\n')}`).join('\n');
}

async function main() {
  const asked = new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, resolve);
    process.stdin.on('end', resolve).on('error', resolve).resume();
  });
  const [, , nodes = '1', proctrack = 'cgroup'] = process.argv;
  const cluster = await startSlurm({ nodes: Number(nodes), proctrack });
  process.stdout.write(`export SLURM_CONF=${cluster.env.SLURM_CONF}\n`);
  await asked;
  process.stdin.destroy();
  await cluster.stop();
}

if (process.argv[1] !== undefined && fileURLToPath(import.meta.url) === process.argv[1]) await main();
