import fc from 'fast-check';
import t from 'tap';
import { address, parseRoute } from '../../../../src/observe/page/data/route.js';

t.test('an address leads to its screen', async (t) => {
  const cases = [
    ['', { screen: 'boxes', params: {} }],
    ['#/', { screen: 'boxes', params: {} }],
    ['#/boxes?q=alice&sort=-cpu_percent', { screen: 'boxes', params: { q: 'alice', sort: '-cpu_percent' } }],
    ['#/users', { screen: 'users', params: {} }],
    ['#/history?reason=oom', { screen: 'history', params: { reason: 'oom' } }],
    ['#/jobs/1234_7?cluster=c1', { screen: 'job', job: '1234_7', params: { cluster: 'c1' } }],
    ['#/users/alice', { screen: 'user', user: 'alice', params: {} }],
    ['#/hosts/node1', { screen: 'host', host: 'node1', params: {} }],
    ['#/jobs', { screen: 'unknown', path: '/jobs', params: {} }],
    ['#/jobs/1/2', { screen: 'unknown', path: '/jobs/1/2', params: {} }],
    ['#/jobs/%zz', { screen: 'job', job: '%zz', params: {} }],
  ] as const;
  for (const [fragment, route] of cases) t.strictSame(parseRoute(fragment), route, fragment);
});

t.test('any name survives an address', async (t) => {
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (name, q) => {
        const route = parseRoute(address(['jobs', name], { q }));
        return route.screen === 'job' && route.job === name && (route.params['q'] ?? '') === q;
      }),
    ),
  );
  t.equal(address(['jobs', 'a/b?c#d'], { box: undefined, q: '' }), '#/jobs/a%2Fb%3Fc%23d');
});
