import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { sharedBroker, until } from '../fixtures/broker.js';
import { connectOperator } from '../fixtures/operated-job.js';
import { temporaryFolder } from '../fixtures/run.js';
import { testSpool } from '../fixtures/spool.js';
import { tcpProxy } from '../fixtures/tcp-proxy.js';

/** A disk that fills up is no concern of the job, and spoils nothing that was written before. */

const mountPoint = join(temporaryFolder(t), 'disk');
mkdirSync(mountPoint);
const mounted =
  spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k,mode=700', 'proc_box-test', mountPoint]).status === 0;
t.teardown(() => mounted && execFileSync('umount', ['-l', mountPoint]));

t.test('a full disk', { skip: !mounted && 'needs the privilege to mount a tmpfs' }, async (t) => {
  const uri = await sharedBroker(t);
  const operator = await connectOperator(t, uri);
  const proxy = await tcpProxy(t, Number(new URL(uri).port));
  const spool = testSpool(t, join(mountPoint, 'spool'));
  const job = await operator.start(
    t,
    ['sh', '-c', 'while [ ! -e "$0" ]; do sleep 0.05; done; echo done; exit 3', `${mountPoint}/../end`],
    {
      uri: proxy.uriOf(uri),
      options: ['-sint', '10ms', '-flush', '200ms', '--spool-dir', spool.dir],
    },
  );
  await job.bound();
  await proxy.down();
  await job.logged('ENOSPC');
  const kept = spool.messages().length;
  t.ok(kept > 3, `${kept} messages fit`);
  t.match(await spool.run('list'), { status: 0, stdout: /in use/ });
  t.equal(readFileSync(spool.paths()[0]!).at(-1), 10, 'no half record');

  await proxy.up();
  await until(() => spool.messages().length < 3, 'delivered from memory, and emptied');
  await job.bound();
  writeFileSync(`${mountPoint}/../end`, '');
  t.strictSame(await job.ended, { code: 3, signal: null });
  rmSync(`${mountPoint}/../end`);
  t.equal(job.stdout(), 'done\n');
  t.equal(job.stderr().match(/warn: spool/g)?.length, 1, job.stderr());
  t.match(await job.event('exited'), { dropped: 0 });
  const numbers = [...new Set(job.received.map(({ message }) => Number(message.properties.messageId.split('-')[1])))];
  t.strictSame(
    numbers,
    numbers.map((_, index) => index + 1),
    'none lost, none out of order',
  );
});

t.test(
  'a disk that is full from the start',
  { skip: !mounted && 'needs the privilege to mount a tmpfs' },
  async (t) => {
    const uri = await sharedBroker(t);
    const operator = await connectOperator(t, uri);
    const spool = testSpool(t, join(mountPoint, 'other'));
    spawnSync('dd', ['if=/dev/zero', `of=${mountPoint}/filler`, 'bs=4k']);
    const job = await operator.start(t, ['true'], {
      uri: 'amqp://127.0.0.1:1',
      options: ['-flush', '0', '--spool-dir', spool.dir],
    });
    t.strictSame(await job.ended, { code: 0, signal: null });
    t.match(job.stderr(), /warn: spool \S+: .*(ENOSPC|no space left).*in memory only/);
    t.match(job.stderr(), /messages were not delivered within 0 ms; --flush sets/);
    rmSync(`${mountPoint}/filler`);
    t.match(await spool.run('list'), { status: 0, stdout: /The spool is empty/ });
  },
);
