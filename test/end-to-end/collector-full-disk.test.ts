// test-timeout: 120s
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import type { HistoryPage } from '../../src/observe/model/api.js';
import { collectorSite } from '../fixtures/collector-site.js';
import { exitedMessage, sampleMessage } from '../fixtures/observed.js';
import { until } from '../fixtures/processes.js';
import { temporaryFolder } from '../fixtures/run.js';

/** A collector whose disk is really full: a small file system of its own, which another file fills. */

const FILLED = 'mount -t tmpfs -o size=6m none "$0" && head -c 5M /dev/zero >"$0/filler" && exec "$@"';
const BOXES = 40;
const own = ['--mount', '--propagation', 'private'];
const mounts = spawnSync('unshare', [...own, 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0;

t.test(
  'messages wait in the broker while the disk is full, and each is there once when there is room',
  { skip: !mounts && 'needs a mount namespace' },
  async (t) => {
    const store = temporaryFolder(t);
    const { publish, collector } = await collectorSite(t, [], store, ['unshare', ...own, 'sh', '-c', FILLED, store]);
    const nowMs = Date.now() - 60_000;
    const text = 'x'.repeat(40_000);
    for (let n = 0; n < BOXES; n++) {
      const box = { box: `b${n}`, job: `${n}` };
      await publish(sampleMessage(box, 1, nowMs), exitedMessage(box, 2, nowMs + 1_000, { why: text }));
    }
    const isUp = () => collector().metric('proc_box_collector_store_up');
    await until(async () => (await isUp()) === 0, `the disk is full: ${collector().log()}`);
    t.match(collector().log(), /messages wait in the broker until the store accepts them/);
    const kept = async () => (await collector().get<HistoryPage>(`/history?limit=${2 * BOXES}`)).rows.length;
    t.ok((await kept()) < BOXES, 'some wait');

    // Deleting needs no room of its own.
    spawnSync('nsenter', ['--target', `${collector().pid}`, '--mount', 'rm', join(store, 'filler')]);
    await until(async () => (await isUp()) === 1, `the store is up: ${collector().log()}`, 60_000);
    t.match(collector().log(), /the store accepts data again/);
    await until(async () => (await kept()) === BOXES, 'every box', 60_000);
    for (const what of ['samples', 'events'])
      t.equal(await collector().metric(`proc_box_collector_${what}_total`), BOXES, `${what}, each once`);
  },
);
