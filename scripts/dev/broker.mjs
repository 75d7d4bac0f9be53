#!/usr/bin/env node
/**
 * A private RabbitMQ on loopback: random free ports, all files in one directory, its own epmd, no systemd.
 *
 *   node scripts/dev/broker.mjs        prints the URI; runs until SIGINT, SIGTERM or the end of stdin
 *
 * Its processes are epmd (in the foreground, so that its pid is known), beam (through rabbitmq-server), and a shell that waits
 * on a pipe from this process. However this process ends, the shell then kills the other two and removes the directory.
 */
import { execFile, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const HOME_OF_RABBIT = process.env.RABBITMQ_HOME ?? '/usr/lib/rabbitmq';
const START_TIMEOUT_MS = 90_000;
const STOP_TIMEOUT_MS = 20_000;
const PORTS = [10_000, 32_768];

/**
 * @param {object} [options]
 * @param {string} [options.dir] the directory for its files; @default a new one, which stop() removes
 * @param {{name: string, password: string, tags?: string}[]} [options.users] in addition to guest:guest
 * @param {string[]} [options.vhosts] in addition to `/`; without `permissions` every user has every permission in every vhost
 * @param {object[]} [options.permissions] as in a definitions file
 * @param {object[]} [options.topicPermissions] as in a definitions file
 * @param {string} [options.conf] further lines for rabbitmq.conf
 * @param {number[]} [options.ports] what else listens by these lines, e.g. for TLS: the start waits for them, too
 * @param {string[]} [options.plugins] plugins to enable
 * @param {number} [options.port] @default a free one
 * @throws when rabbitmq-server is not installed, or is not ready within 90 s
 */
export async function startBroker(options = {}) {
  const script = join(HOME_OF_RABBIT, 'bin/rabbitmq-server');
  if (!existsSync(script)) throw new Error(`${script} does not exist: apt-get install rabbitmq-server`);
  const ownDir = options.dir === undefined;
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'proc_box-broker-'));
  const [port, distPort, epmdPort] = await freePorts(3, options.port);
  writeFiles(dir, port, options);
  const env = environment(dir, port, distPort, epmdPort);

  const epmd = spawn('epmd', ['-port', String(epmdPort), '-address', '127.0.0.1'], { detached: true, stdio: 'ignore' });
  epmd.on('error', () => {});
  const watcher = watch(dir, epmd.pid, ownDir);
  let server = null;

  async function start() {
    rmSync(join(dir, 'pid'), { force: true });
    server = launch(script, dir, env);
    await ready(server, dir, port, options.ports);
    server.child.unref();
  }

  async function end(signal) {
    if (server === null) return;
    const { ended, child } = server;
    child.ref();
    // Signal only the Erlang machine. The script that started it reaps it and ends as well.
    signalTo(pidFrom(join(dir, 'pid')) ?? child.pid, signal);
    if ((await Promise.race([ended, sleep(STOP_TIMEOUT_MS, 'late', { ref: false })])) === 'late')
      signalTo(-child.pid, 'SIGKILL');
    await ended;
    signalTo(-child.pid, 'SIGKILL');
    server = null;
  }

  /** Ends the broker and epmd, waits until both are gone, and removes the directory if it was made here. */
  async function stop() {
    await end('SIGKILL');
    const epmdGone = new Promise((resolve) =>
      epmd.exitCode !== null || epmd.signalCode !== null ? resolve() : epmd.on('exit', resolve),
    );
    epmd.ref();
    signalTo(epmd.pid, 'SIGKILL');
    await epmdGone;
    const watcherGone = new Promise((resolve) => watcher.on('exit', resolve));
    watcher.ref();
    watcher.stdin.end();
    await watcherGone;
  }

  epmd.unref();
  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    uri: `amqp://guest:guest@127.0.0.1:${port}`,
    port,
    dir,
    /** The environment for its commands: rabbitmqctl, rabbitmq-plugins. */
    env,
    /** Process id of the Erlang machine. */
    get pid() {
      return pidFrom(join(dir, 'pid'));
    },
    start,
    stop,
    /** Ends the broker in an orderly way; `start()` brings it back with its durable state. */
    down: () => end('SIGTERM'),
    kill9: () => end('SIGKILL'),
    async restart() {
      await end('SIGTERM');
      await start();
    },
    /** rabbitmqctl; takes about 1.4 s. */
    ctl: (...args) =>
      new Promise((resolve, reject) => {
        execFile(join(HOME_OF_RABBIT, 'bin/rabbitmqctl'), ['-q', ...args], { env }, (error, stdout, stderr) =>
          error === null ? resolve(stdout) : reject(new Error(`rabbitmqctl ${args[0]}: ${stdout}${stderr}`)),
        );
      }),
  };
}

function launch(script, dir, env) {
  const out = openSync(join(dir, 'out'), 'a');
  const child = spawn(script, [], { env, detached: true, stdio: ['ignore', out, out] });
  closeSync(out);
  const server = { child, gone: false };
  server.ended = new Promise((resolve) => {
    child.on('exit', resolve);
    child.on('error', resolve);
  }).then(() => {
    server.gone = true;
  });
  return server;
}

/** @throws when the server has ended, or is late */
async function ready(server, dir, port, more = []) {
  const deadline = Date.now() + START_TIMEOUT_MS;
  const all = () => Promise.all([answers(port), ...more.map(listens)]);
  while ((await all()).includes(false)) {
    if (server.gone || Date.now() > deadline) {
      throw new Error(
        `rabbitmq-server did not start; the end of ${dir}/out:\n${readFileSync(join(dir, 'out'), 'utf8').slice(-2000)}`,
      );
    }
    await sleep(50);
  }
}

function writeFiles(dir, port, options) {
  for (const sub of ['home', 'mnesia', 'log']) mkdirSync(join(dir, sub), { recursive: true });
  const users = [{ name: 'guest', password: 'guest', tags: 'administrator' }, ...(options.users ?? [])];
  const vhosts = ['/', ...(options.vhosts ?? [])];
  const everything = vhosts.flatMap((vhost) =>
    users.map((user) => ({ user: user.name, vhost, configure: '.*', write: '.*', read: '.*' })),
  );
  const definitions = {
    users: users.map((user) => ({ name: user.name, password: user.password, tags: user.tags ?? '' })),
    vhosts: vhosts.map((name) => ({ name })),
    permissions: options.permissions ?? everything,
    topic_permissions: options.topicPermissions ?? [],
  };
  writeFileSync(join(dir, 'definitions.json'), JSON.stringify(definitions), { mode: 0o600 });
  writeFileSync(join(dir, 'enabled_plugins'), `[${(options.plugins ?? []).join(',')}].`);
  writeFileSync(
    join(dir, 'rabbitmq.conf'),
    `listeners.tcp.1 = 127.0.0.1:${port}\nload_definitions = ${dir}/definitions.json\ndisk_free_limit.absolute = 50MB\n${options.conf ?? ''}\n`,
  );
}

function environment(dir, port, distPort, epmdPort) {
  return {
    PATH: process.env.PATH,
    LANG: 'C.UTF-8',
    HOME: join(dir, 'home'),
    ERL_CRASH_DUMP_SECONDS: '0',
    RABBITMQ_NODENAME: `t${port}@localhost`,
    RABBITMQ_MNESIA_BASE: join(dir, 'mnesia'),
    RABBITMQ_LOG_BASE: join(dir, 'log'),
    RABBITMQ_CONF_ENV_FILE: '/dev/null',
    RABBITMQ_CONFIG_FILE: join(dir, 'rabbitmq'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(dir, 'enabled_plugins'),
    RABBITMQ_DIST_PORT: String(distPort),
    RABBITMQ_PID_FILE: join(dir, 'pid'),
    ERL_EPMD_PORT: String(epmdPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    // No busy waiting: the schedulers would take CPU time from the programs that are measured or tested.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
      '-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none',
  };
}

/** Kills the remaining processes when this process has ended. It waits on a pipe, so it notices even SIGKILL. */
function watch(dir, epmdPid, removeDir) {
  const program = `cat >/dev/null
[ -f "$1/pid" ] && kill -9 "$(cat "$1/pid")" 2>/dev/null
kill -9 "$2" 2>/dev/null
[ "$3" = yes ] && { rm -rf "$1" || { sleep 1; rm -rf "$1"; }; }
exit 0`;
  const args = ['-c', program, 'broker-watch', dir, String(epmdPid), removeDir ? 'yes' : 'no'];
  const watcher = spawn('/bin/sh', args, { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  watcher.unref();
  watcher.stdin.unref?.();
  watcher.stdin.on('error', () => {});
  return watcher;
}

function pidFrom(path) {
  try {
    const pid = Number.parseInt(readFileSync(path, 'utf8'), 10);
    return pid > 1 ? pid : null;
  } catch {
    return null;
  }
}

function signalTo(pid, signal) {
  if (pid === null || pid === undefined) return;
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** Whether an AMQP 0-9-1 broker answers on the port. */
function answers(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(Buffer.from('AMQP\0\0\x09\x01', 'latin1')));
    const done = (yes) => {
      socket.destroy();
      resolve(yes);
    };
    socket.setTimeout(2000, () => done(false));
    socket.on('data', (data) => done(data[0] === 1));
    socket.on('error', () => done(false));
    socket.on('close', () => done(false));
  });
}

function listens(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.end(() => resolve(true)));
    socket.on('error', () => resolve(false));
  });
}

/**
 * Free ports on loopback. They lie below those that the kernel gives to connections: one of those could be taken between this
 * call and the moment when somebody listens there.
 */
export async function freePorts(count, first) {
  const servers = [];
  while (servers.length < count) {
    const fixed = servers.length === 0 && first !== undefined;
    const server = createServer();
    try {
      await new Promise((resolve, reject) => {
        server.on('error', reject);
        server.listen(fixed ? first : randomInt(...PORTS), '127.0.0.1', resolve);
      });
      servers.push(server);
    } catch (error) {
      if (fixed || error.code !== 'EADDRINUSE') throw error;
    }
  }
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

async function main() {
  const asked = new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, resolve);
    process.stdin.on('end', resolve).on('error', resolve).resume();
  });
  const broker = await startBroker();
  process.stdout.write(`${broker.uri}\n`);
  await asked;
  process.stdin.destroy();
  await broker.stop();
}

if (process.argv[1] !== undefined && fileURLToPath(import.meta.url) === process.argv[1]) await main();
