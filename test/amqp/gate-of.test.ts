import t from 'tap';
import type { Admitted } from '../../src/amqp/gate.js';
import { gateOf } from '../../src/amqp/gate-of.js';
import type * as Signed from '../../src/amqp/signed.js';
import type { SignedOptions } from '../../src/amqp/signed.js';
import type { BoxSpec } from '../../src/options/spec.js';
import { jobIdentity, linesLogger } from '../fixtures/light.js';

const identity = jobIdentity({ user: 'alice', job: '7' });

function gate(controlAuth: BoxSpec['controlAuth'], more: Partial<BoxSpec> = {}) {
  const asked: SignedOptions[] = [];
  const signed = {
    signedGate: (options: SignedOptions) => {
      asked.push(options);
      return () => ({ outcome: { kind: 'ignored' }, by: { via: 'amqp' } });
    },
  } as unknown as typeof Signed;
  const spec = { controlAuth, exchange: 'x', routingKeys: ['k'], controlRules: [], ...more } as unknown as BoxSpec;
  let loaded = 0;
  const made = gateOf(spec, identity, linesLogger().log, () => {
    loaded++;
    return signed;
  });
  const give = (routingKey = 'k.job.7', userId?: string) => {
    const fields = { exchange: 'x', routingKey };
    const properties = userId === undefined ? {} : { userId };
    return (made({ content: Buffer.from('{"command":"ping"}'), fields, properties }) as Admitted).outcome;
  };
  return { give, asked, loaded: () => loaded };
}

t.test('each way of --control-auth has its gate', async (t) => {
  t.match(gate('broker').give(), { kind: 'request', name: 'ping' });
  const rules = [{ users: ['{owner}'], commands: ['*'] }];
  t.match(gate('user', { controlRules: rules }).give('k', 'alice'), { kind: 'request' });
  t.match(gate('user', { controlRules: rules }).give('k', 'bob'), { answer: { error: { code: 'forbidden' } } });
  const signed = gate('signed', { controlKeys: '/keys' });
  t.match(signed.give(), { kind: 'ignored' });
  t.match(signed.asked, [{ folder: '/keys', identity }]);
});

t.test('what checks signatures is loaded for those who want it only', async (t) => {
  t.equal(gate('broker').loaded(), 0);
  t.equal(gate('user').loaded(), 0);
});

t.test('before each of them the message must have come by a key of the box', async (t) => {
  for (const auth of ['broker', 'user', 'signed'] as const)
    t.match(gate(auth).give('k.job.8'), { answer: { error: { code: 'forged' } } }, auth);
});
