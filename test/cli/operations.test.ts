// debian: python3-pika
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { BOX_OPTIONS, OWN_OPTIONS } from '../../src/cli/ctl/options.js';
import { sharedBroker } from '../fixtures/broker.js';
import { connectOperator } from '../fixtures/operated-job.js';
import { readSchema } from '../fixtures/schemas.js';

/** docs/operations.md says what there is, and its program runs. */

const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
const PYTHON = '/usr/bin/python3';

t.test('names every option of proc_box ctl', async (t) => {
  const table = page.slice(page.indexOf('## proc_box ctl'), page.indexOf('## rabbitmqadmin'));
  for (const name of [...Object.keys(OWN_OPTIONS), ...BOX_OPTIONS])
    t.match(table, new RegExp(`\`--${name}[ \`]`), name);
});

t.test('names every command', async (t) => {
  const table = page.slice(page.indexOf('## Commands'));
  // biome-ignore lint/suspicious/noExplicitAny: JSON
  const commands: string[] = (readSchema('command') as any).properties.command.enum;
  t.equal(commands.length, 13);
  for (const name of commands) t.match(table, new RegExp(`^\\| \`${name}[ \`]`, 'm'), name);
});

const pika = spawnSync(PYTHON, ['-c', 'import pika']).status === 0;

t.test(
  'the Python program sends commands and prints answers',
  { skip: pika ? false : 'python3-pika is not installed' },
  async (t) => {
    const operator = await connectOperator(t, await sharedBroker(t));
    const folder = mkdtempSync(join(tmpdir(), 'proc_box-python-'));
    t.teardown(() => rmSync(folder, { recursive: true }));
    const program = /```python\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
    const file = join(folder, 'command.py');
    writeFileSync(file, program.replace('amqp://guest:guest@localhost:5672/%2F', `${operator.uri}/%2F`));
    const python = (...args: string[]) =>
      new Promise<{ status: number | null; stdout: string; stderr: string }>((resolve) => {
        const child = spawn(PYTHON, [file, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
        let stdout = '';
        let stderr = '';
        child.stdout.on('data', (chunk) => {
          stdout += chunk;
        });
        child.stderr.on('data', (chunk) => {
          stderr += chunk;
        });
        child.on('close', (status) => resolve({ status, stdout, stderr }));
      });
    const job = await operator.start(t, ['sleep', '1000'], { env: { SLURM_JOB_ID: '1234' } });
    await job.bound();
    t.match(await python(`${job.key}.job.1234`, 'set_limit', 'timeout', '2h'), {
      status: 0,
      stdout: /1234 True \{'limit': 'timeout', 'value': 7200000/,
    });
    t.match(await python(job.key, 'set_limit', 'timeout', 'x'), {
      status: 0,
      stdout: /1234 False \{'code': 'bad_arguments'/,
    });
    t.match(await python(`${job.key}.job.1`, 'ping'), { status: 1, stderr: /UnroutableError/ });
  },
);
