/**
 * npm run bench: the project's figures against their floors and peers, in one table.
 *
 *   npm run bench                     everything, about ten minutes
 *   npm run bench -- launch stdout    only these figures; bench/run.ts names them
 *   npm run bench -- --quick          fewer repetitions, for use during development
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { ensureBuild, ensureDebian, ensureNpm, plainEnvironment, root, say } from './setup.mjs';

try {
  process.exitCode = await main();
} catch (error) {
  say(`bench: ${error.message}`);
  process.exitCode = 1;
}

async function main() {
  ensureNpm();
  ensureDebian(['rabbitmq-server']);
  ensureDebian(['tini', 'dumb-init', 'util-linux', 'coreutils', 'chromium', 'postgresql'], { optional: true });
  await ensureBuild();
  const { startBroker } = await import('./broker.mjs');
  const broker = await startBroker();
  try {
    const env = {
      ...plainEnvironment(),
      PROC_BOX_BENCH_BROKER: broker.uri,
      PROC_BOX_BENCH_BROKER_PID: String(broker.pid),
    };
    return await measure(env, broker);
  } finally {
    await broker.stop();
  }
}

async function measure(env, broker) {
  const args = ['--import', 'tsx', join(root, 'bench/run.ts'), ...process.argv.slice(2)];
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  child.on('message', async (list) =>
    child.send(
      (await broker.ctl('-q', '--no-table-headers', `list_${list}`, list === 'queues' ? 'name' : 'pid'))
        .split('\n')
        .filter(Boolean).length,
    ),
  );
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  return await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 1));
  });
}
