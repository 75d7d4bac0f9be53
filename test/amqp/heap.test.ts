import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

/** `--outbox-bytes` is what a full outbox costs the wrapper, whatever the size of its messages. */

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const FULL_OUTBOX = join(root, 'test', 'fixtures', 'full-outbox.ts');
/** As the wrapper runs: one of them bounds what V8 keeps for what comes and goes. */
const FLAGS = readFileSync(join(root, 'native', 'node-flags.txt'), 'utf8')
  .trim()
  .split('\n');
const BOUND_BYTES = 16 * 2 ** 20;
/** What V8 keeps for what comes and goes, which does not grow with the bound. */
const SPARE_BYTES = 10 * 2 ** 20;

for (const bodyBytes of [200, 700, 3_000, 20_000]) {
  t.test(`16 MiB of messages of ${bodyBytes} bytes cost 16 MiB`, async (t) => {
    const args = [...FLAGS, '--expose-gc', '--import', 'tsx', FULL_OUTBOX, String(BOUND_BYTES), String(bodyBytes)];
    const { grown, bytes, messages } = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
    t.ok(bytes <= BOUND_BYTES && bytes > BOUND_BYTES - 2 * (bodyBytes + 768), `${bytes} bytes are counted`);
    t.ok(grown < BOUND_BYTES + SPARE_BYTES, `${messages} messages: ${(grown / 2 ** 20).toFixed(1)} MiB of memory`);
  });
}
