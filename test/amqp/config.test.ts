import t from 'tap';
import { controlConfig, endpointOf } from '../../src/amqp/config.js';
import { fakeBox } from '../fixtures/broker.js';

t.test('takes the credentials out of the URI', async (t) => {
  t.strictSame(endpointOf('amqp://al%40ice:p%3A%25%2F@h:5672/my%2Fvhost?heartbeat=5'), {
    uri: 'amqp://h:5672/my%2Fvhost?heartbeat=5',
    user: 'al@ice',
    password: 'p:%/',
    host: 'h',
    mechanism: 'PLAIN',
    shown: 'h:5672/my/vhost',
    sender: 'al@ice',
  });
  t.match(endpointOf('amqps://alice@h?auth_mechanism=external&heartbeat=5'), {
    uri: 'amqps://h?heartbeat=5',
    user: 'alice',
    password: '',
    mechanism: 'EXTERNAL',
  });
  t.match(endpointOf('amqps://h?auth_mechanism=EXTERNAL'), { uri: 'amqps://h', user: '', mechanism: 'EXTERNAL' });
  t.match(endpointOf('amqp://h'), { user: 'guest', password: 'guest', shown: 'h' });
});

t.test('merges what the site says, and keeps what the contract says', async (t) => {
  const { identity } = fakeBox();
  const request = {
    endpoint: endpointOf('amqp://h'),
    connectionName: 'n',
    timeoutMs: 1,
    signal: new AbortController().signal,
    exchange: 'hpc',
    declare: false,
    site: {
      connection: {
        options: { heartbeat: 20 },
        socketOptions: { clientProperties: { site: 's', connection_name: 'x' } },
      },
      queue: { arguments: { 'x-max-length': 5 } },
    },
  };
  t.match(controlConfig(request, ['K'], identity, 'q'), {
    vhosts: {
      box: {
        connection: {
          options: { heartbeat: 20 },
          socketOptions: { noDelay: true, clientProperties: { site: 's', product: 'proc_box', connection_name: 'n' } },
        },
        exchanges: { hpc: { check: true, assert: false } },
        queues: { q: { options: { exclusive: true, arguments: { 'x-max-length': 5, 'x-message-ttl': 60_000 } } } },
      },
    },
  });
  t.match(controlConfig(request, [], identity, 'q'), { vhosts: { box: { bindings: {} } } }, 'no key is not every key');
});
