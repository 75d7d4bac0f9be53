import t from 'tap';
import { Probes } from '../../src/node-link/probes.js';

t.test('one key for each exchange that can be deleted', async (t) => {
  const calls: string[] = [];
  const probes = new Probes('node-1', {
    want: (exchange, key) => calls.push(`+${exchange} ${key}`),
    release: (exchange, key) => calls.push(`-${exchange} ${key}`),
    isBound: () => true,
    rebind: () => {},
    deaf: () => {},
  });
  probes.add('amq.topic', 'k');
  probes.add('hpc', 'k');
  probes.add('hpc', 'other');
  probes.add('hpc', undefined);
  probes.remove('hpc', 'k');
  probes.remove('amq.topic', 'k');
  t.strictSame(calls, ['+hpc k.box.node-1']);
  t.notOk(probes.isProbe({ content: '', fields: { exchange: 'hpc' }, properties: { messageId: 'x' } }));
  t.notOk(probes.isProbe({ content: '', fields: { exchange: 'amq.topic' }, properties: {} }));
  probes.remove('hpc', 'other');
  t.equal(calls.at(-1), '-hpc k.box.node-1');
});
