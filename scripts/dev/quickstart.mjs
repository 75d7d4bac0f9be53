/**
 * npm run quickstart: runs a real job in a box, watches it through a real broker, and commands it as an operator would.
 * It installs missing packages, starts a private broker on loopback, and leaves nothing running.
 *
 *   npm run quickstart              ends with a picture of the job's page, where there is a browser
 *   npm run quickstart -- --page    opens the page, and keeps it until Ctrl-C
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { ensureBuild, ensureDebian, ensureNpm, plainEnvironment, root, say } from './setup.mjs';

try {
  process.exitCode = await main();
} catch (error) {
  say(`quickstart: ${error.message}`);
  process.exitCode = 1;
}

async function main() {
  ensureNpm();
  ensureDebian(['rabbitmq-server']);
  await ensureBuild();
  say('Starting a private RabbitMQ on loopback ...');
  const { startBroker } = await import('./broker.mjs');
  const broker = await startBroker();
  try {
    return await demonstrate(broker.uri);
  } finally {
    await broker.stop();
  }
}

/** Passes signals on, so that the demonstration cleans up. @returns {Promise<number>} its exit status */
async function demonstrate(uri) {
  const demo = join(root, 'scripts/dev/quickstart/demo.ts');
  const page = process.argv.includes('--page') ? '1' : '';
  const env = { ...plainEnvironment(), PROC_BOX_QUICKSTART_URI: uri, PROC_BOX_QUICKSTART_PAGE: page };
  const child = spawn(process.execPath, ['--import', 'tsx', demo], {
    cwd: root,
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const forward = (signal) => child.kill(signal);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, forward);
  return await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 1));
  });
}
