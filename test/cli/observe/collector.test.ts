import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { collectorOf, commandThrough } from '../../../src/cli/observe/collector.js';
import { EnvironmentError } from '../../../src/errors.js';
import { systemFiles } from '../../../src/options/files.js';
import { topRow } from '../../fixtures/top-rows.js';

t.test('the token comes from a file that only its owner may read', async (t) => {
  const path = join(t.testdir({}), 'token');
  writeFileSync(path, 'alice secret\n', { mode: 0o600 });
  const own = new Map([
    ['collector', 'http://127.0.0.1:1'],
    ['token-file', path],
  ]);
  t.equal(collectorOf(own, systemFiles())!.shown, 'http://127.0.0.1:1');
  chmodSync(path, 0o644);
  t.throws(() => collectorOf(own, systemFiles()), { message: /--token-file: .* has mode 0644/ });
  t.equal(collectorOf(new Map(), systemFiles()), undefined);
});

t.test('a command names the box, or the job of its user', async (t) => {
  const sent: unknown[] = [];
  const through = (answers: unknown) =>
    ({
      post: async (_: string, body: unknown) => {
        sent.push(body);
        return { answers };
      },
    }) as never;
  const row = topRow('b1', { job: '7', user: 'bob' });
  t.match(await commandThrough(through([{ ok: true }, { ok: true }]), 'kill', row, true), {
    text: 'kill: done by 2',
    isError: false,
  });
  t.match(await commandThrough(through([{ ok: false, error: { message: 'no' } }]), 'suspend', row, false), {
    text: 'suspend: done by 0, 1 refused: no',
    isError: true,
  });
  t.match(await commandThrough(through('odd'), 'kill', row, false), { isError: true });
  await commandThrough(through([{ ok: true }]), 'kill', { ...row, cluster: 'c1' }, true);
  t.strictSame(sent, [
    { command: 'kill', target: { job: '7', user: 'bob' } },
    { command: 'suspend', target: { box: 'b1' } },
    { command: 'kill', target: { box: 'b1' } },
    { command: 'kill', target: { job: '7', user: 'bob', cluster: 'c1' } },
  ]);
  const gone = { post: () => Promise.reject(new EnvironmentError('gone')) } as never;
  t.strictSame(await commandThrough(gone, 'kill', row, false), { text: 'gone', isError: true });
});
