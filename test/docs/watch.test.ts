import { readFileSync } from 'node:fs';
import t from 'tap';
import { foreignClient, sharedBroker } from '../fixtures/broker.js';

/** The queues that README and docs/messages.md tell users to watch with. */

const uri = await sharedBroker(t);

for (const name of ['README.md', 'docs/messages.md'])
  t.test(`the watch queue of ${name} gets samples and events, no command, and does not grow for ever`, async (t) => {
    const page = readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');
    const args = JSON.parse(/declare queue name=watch durable=true arguments='(.*?)'/.exec(page)![1]!);
    const keys = [...page.matchAll(/declare binding source=amq\.topic destination=watch routing_key='(.*?)'/g)];
    const v2 = JSON.parse(
      /declare queue --name watch --type classic --durable true --arguments '(.*?)'/.exec(page)![1]!,
    );
    t.strictSame(v2, args, 'rabbitmqadmin v2 makes the same queue');
    const v2Keys = [
      ...page.matchAll(
        /declare binding --source amq\.topic --destination-type queue --destination watch --routing-key '(.*?)'/g,
      ),
    ];
    t.strictSame(
      v2Keys.map(([, key]) => key),
      keys.map(([, key]) => key),
    );
    t.ok(args['x-max-length'] > 0 && args['x-expires'] > 0);
    const { channel } = await foreignClient(t, uri);
    const { queue } = await channel.assertQueue('', { durable: true, exclusive: true, arguments: args });
    for (const [, key] of keys) await channel.bindQueue(queue, 'amq.topic', key!);
    const returned: string[] = [];
    channel.on('return', ({ fields }) => returned.push(fields.routingKey));
    const commands = ['proc_box.remote_control', 'proc_box.remote_control.job.1', 'proc_box.operators.host.n'];
    const messages = ['proc_box.stats.node1', 'proc_box.events.alice.node1.site'];
    for (const key of [...commands, ...messages])
      channel.publish('amq.topic', key, Buffer.from('{}'), { mandatory: true });
    await channel.waitForConfirms();
    // A box that happens to listen under the default key would take these; none of the tests' boxes does.
    t.strictSame(returned, commands);
    t.equal((await channel.checkQueue(queue)).messageCount, messages.length);
  });
