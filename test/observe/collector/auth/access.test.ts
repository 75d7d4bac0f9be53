import t from 'tap';
import { AccessControl, isCrossSite, TOKEN_COOKIE } from '../../../../src/observe/collector/auth/access.js';
import type { AuthOptions } from '../../../../src/observe/collector/options.js';

const AUTH: AuthOptions = {
  mode: 'token',
  tokens: null,
  proxyHeader: 'x-remote-user',
  proxyFrom: ['127.0.0.1', 'user:nginx'],
  operators: new Set(['boss']),
};
const TOKEN = 'a'.repeat(48);
const names: Record<number, string> = { 0: 'root', 33: 'nginx', 1000: 'alice', 1001: 'boss' };
const nobody = { address: undefined, uid: undefined };

function control(auth: Partial<AuthOptions>) {
  return new AccessControl({
    auth: { ...AUTH, ...auth },
    token: TOKEN,
    self: 'root',
    userName: (uid) => names[uid] ?? null,
  });
}
const asks = (auth: Partial<AuthOptions>, headers: Record<string, string>, peer: object = nobody) => {
  const access = control(auth).of({ headers }, { ...nobody, ...peer });
  return access.kind === 'viewer' ? access.viewer : access.status;
};

t.test('a token: as a bearer or in a cookie, and nothing else', async (t) => {
  const self = { user: 'root', operator: true, mayCommand: true };
  t.strictSame(asks({}, { authorization: `Bearer ${TOKEN}` }), self);
  t.strictSame(asks({}, { cookie: `x=1; ${TOKEN_COOKIE}=${TOKEN}` }), self);
  for (const headers of [{}, { authorization: 'Bearer x' }, { authorization: TOKEN }, { cookie: `${TOKEN_COOKIE}=` }])
    t.equal(asks({}, headers), 401, JSON.stringify(headers));
  const tokens = new Map([
    ['t'.repeat(20), 'alice'],
    ['u'.repeat(20), 'boss'],
  ]);
  t.strictSame(asks({ tokens }, { authorization: `Bearer ${'t'.repeat(20)}` }), {
    user: 'alice',
    operator: false,
    mayCommand: true,
  });
  t.match(asks({ tokens }, { authorization: `token ${'u'.repeat(20)}` }), { user: 'boss', operator: true });
  t.equal(asks({ tokens }, { authorization: `Bearer ${TOKEN}` }), 401, 'there is no other token then');
});

t.test('a proxy: its header counts, but only from the proxy', async (t) => {
  const proxy = { mode: 'proxy' } as const;
  const from = { address: '::ffff:127.0.0.1' };
  t.match(asks(proxy, { 'x-remote-user': 'alice' }, from), { user: 'alice', operator: false });
  t.match(asks(proxy, { 'x-remote-user': 'alice' }, { uid: 33 }), { user: 'alice' });
  t.equal(asks(proxy, { 'x-remote-user': 'boss' }, { address: '10.0.0.9' }), 403);
  t.equal(asks(proxy, { 'x-remote-user': 'boss' }, { uid: 1000 }), 403);
  t.equal(asks(proxy, { 'x-remote-user': 'boss' }), 403);
  for (const name of ['', 'alice, boss', 'a b', '../x'])
    t.equal(asks(proxy, { 'x-remote-user': name }, from), 401, name);
  t.equal(asks(proxy, {}, from), 401);
});

t.test('a Unix socket: the kernel tells the user', async (t) => {
  const socket = { mode: 'socket' } as const;
  t.match(asks(socket, {}, { uid: 0 }), { user: 'root', operator: true });
  t.match(asks(socket, { 'x-remote-user': 'boss' }, { uid: 1000 }), { user: 'alice', operator: false });
  t.match(asks(socket, {}, { uid: 1001 }), { user: 'boss', operator: true });
  t.equal(asks(socket, {}, { uid: 4242 }), 403, 'a uid without a name');
  t.equal(asks(socket, {}), 403);
});

t.test('none: everybody may look, and nobody may act; a foreign name in Host is another site', async (t) => {
  const none = { mode: 'none' } as const;
  for (const host of ['localhost:8480', '127.0.0.1', '[::1]:8480'])
    t.strictSame(asks(none, { host }), { user: null, operator: true, mayCommand: false }, host);
  t.equal(asks(none, { host: 'evil.example' }), 403);
});

t.test('requests of other sites are told', async (t) => {
  t.notOk(isCrossSite({ headers: {} }), 'no browser');
  t.notOk(isCrossSite({ headers: { 'sec-fetch-site': 'same-origin' } }));
  for (const site of ['cross-site', 'same-site', 'none'])
    t.ok(isCrossSite({ headers: { 'sec-fetch-site': site } }), site);
  t.notOk(isCrossSite({ headers: { origin: 'http://h:1', host: 'h:1' } }));
  t.ok(isCrossSite({ headers: { origin: 'http://evil:1', host: 'h:1' } }));
  t.ok(isCrossSite({ headers: { origin: 'null', host: 'h:1' } }));
});
