import t from 'tap';
import { newNodeId, nodeIdentity } from '../../src/node-link/node-identity.js';
import { toIdentity } from '../../src/spool/identity.js';

t.test('ids sort by time, and name files', async (t) => {
  const ids = [1, 1_700_000_000_000, 1_800_000_000_000].map(newNodeId);
  t.strictSame([...ids].sort(), ids);
  t.ok(ids.every((id) => /^[\w-]+$/.test(id)));
  t.not(newNodeId(1), newNodeId(1));
});

t.test('the spool takes it as an identity', async (t) => {
  const identity = nodeIdentity('node-1', { host: 'h', user: 'u' });
  t.strictSame(toIdentity(identity), identity);
});
