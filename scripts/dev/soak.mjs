/**
 * npm run soak: runs the long forms of test/soak one after the other, and shows their figures.
 *
 *   npm run soak                     everything, about twenty minutes
 *   npm run soak -- chaos memory     only these
 */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBuild, ensureDebian, ensureFuzzer, ensureNpm, plainEnvironment, root, say } from './setup.mjs';

const SUFFIX = '.test.ts';

try {
  process.exitCode = await main();
} catch (error) {
  say(`soak: ${error.message}`);
  process.exitCode = 1;
}

async function main() {
  ensureNpm();
  ensureDebian(['rabbitmq-server']);
  ensureFuzzer();
  await ensureBuild();
  const folder = join(root, 'test', 'soak');
  const names = readdirSync(folder)
    .filter((name) => name.endsWith(SUFFIX))
    .map((name) => name.slice(0, -SUFFIX.length));
  const chosen = process.argv.slice(2);
  const unknown = chosen.filter((name) => !names.includes(name));
  if (unknown.length > 0) throw new Error(`no ${unknown.join(', ')}; there are ${names.join(', ')}`);
  let failed = 0;
  for (const name of chosen.length > 0 ? chosen : names) {
    say(`${name} ...`);
    const startedMs = performance.now();
    const ok = await run(join(folder, name + SUFFIX));
    const seconds = Math.round((performance.now() - startedMs) / 1000);
    process.stdout.write(`${ok ? 'ok  ' : 'FAIL'} ${name} (${seconds} s)\n`);
    if (!ok) failed++;
  }
  return failed > 0 ? 1 : 0;
}

/** The figures arrive on stderr. stdout has the assertions, which are shown only if one fails. */
function run(file) {
  const child = spawn(process.execPath, ['--import', 'tsx', file], {
    cwd: root,
    env: { ...plainEnvironment(), PROC_BOX_SOAK: '1', TAP_TIMEOUT: '3600' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const output = [];
  child.stdout.on('data', (data) => output.push(data));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code !== 0) process.stdout.write(Buffer.concat(output));
      resolve(code === 0);
    });
  });
}
