import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lockFile } from 'cgroup-utils-native';
import t, { type Test } from 'tap';
import type { Publication, Publisher, SecondChannel } from '../../src/amqp/publisher.js';
import { eventsTo, Redelivery } from '../../src/amqp/redelivery.js';
import type { BoxSpec } from '../../src/options/spec.js';
import { openFolder } from '../../src/spool/folder.js';
import * as spool from '../../src/spool/index.js';
import { encode } from '../../src/spool/record.js';
import { jobIdentity, linesLogger } from '../fixtures/light.js';
import { temporaryFolder } from '../fixtures/run.js';

const uid = process.geteuid!();
const identity = jobIdentity({ box: 'mine' });

async function redelivery(t: Test, spoolDir: string | undefined = join(temporaryFolder(t), 'spool')) {
  const { log, lines } = linesLogger();
  const sent: Publication[] = [];
  let loaded = 0;
  const publisher = {
    openSecondChannel: ({ up }: SecondChannel) =>
      up(
        (message, done) => {
          sent.push(message);
          done('confirmed');
        },
        () => {},
      ),
  } as unknown as Publisher;
  const spec = { spoolDir, spoolMaxAgeMs: 1e12, exchange: 'x', eventsKey: 'e' } as unknown as BoxSpec;
  const load = () => {
    loaded++;
    return spool;
  };
  const made = new Redelivery(spec, identity, load, log);
  const folder = spoolDir === undefined ? undefined : await openFolder(spoolDir, uid, true);
  t.teardown(() => folder?.[Symbol.asyncDispose]());
  const keep = (box: string) => {
    const text = encode({ spool: 1, identity: { ...identity, box }, from: 1, first: 1 });
    const one = encode({ n: 1, exchange: 'x', routingKey: 'k', options: { messageId: `${box}-1` }, body: '{}' });
    writeFileSync(folder!.at(`${box}.000001.spool`), text + one, { mode: 0o600 });
  };
  const run = async () => {
    made.start(publisher);
    await made.settled();
  };
  return { made, run, keep, folder, sent, lines, loaded: () => loaded, publisher };
}

t.test('what earlier boxes have left is delivered', async (t) => {
  const { run, keep, folder, sent, lines } = await redelivery(t);
  keep('old');
  keep('mine');
  await run();
  t.match(sent, [{ exchange: 'x', routingKey: 'k', options: { messageId: 'old-1' } }]);
  t.notOk(existsSync(folder!.at('old.000001.spool')));
  t.ok(existsSync(folder!.at('mine.000001.spool')), "the box's own is not for here");
  t.match(lines, [/^proc_box: spool: delivered 1 messages of earlier boxes; 0 were lost$/]);
});

t.test('where there is nothing the spool is not even loaded', async (t) => {
  const without = await redelivery(t);
  await without.run();
  without.keep('mine');
  await without.run();
  t.equal(without.loaded(), 0);
  const off = await redelivery(t, undefined);
  await off.run();
  t.equal(off.loaded(), 0);
  t.strictSame([without.lines, off.lines], [[], []]);
});

t.test('one process at a time delivers', async (t) => {
  const { run, keep, folder, sent } = await redelivery(t);
  keep('old');
  t.ok(lockFile(folder!.fd));
  await run();
  t.strictSame(sent, []);
});

t.test('nothing is sent once the link is lost, and what is wrong is warned of', async (t) => {
  const { made, keep, sent, publisher } = await redelivery(t);
  keep('old');
  made.start(publisher);
  made.stop();
  await made.settled();
  t.strictSame(sent, []);
  const bad = await redelivery(t);
  bad.keep('old');
  chmodSync(bad.folder!.path, 0o750);
  await bad.run();
  t.match(bad.lines, [/^proc_box: warn: spool .*expected uid \d+ and mode 0700: remove it$/]);
});

t.test('events of a box go under the key of its host', async (t) => {
  const to = eventsTo({ exchange: 'x', eventsKey: 'e.{user}' });
  t.match(to(jobIdentity({ host: 'n1.example', user: 'alice' })), { exchange: 'x', routingKey: /^e\.alice\.n1/ });
});
