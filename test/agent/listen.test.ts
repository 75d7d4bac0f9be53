import { closeSync, existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { listen, takeOver } from '../../src/agent/listen.js';
import { createLogger } from '../../src/log.js';
import { temporaryFolder } from '../fixtures/run.js';

const quiet = createLogger('error', { write() {} });

t.test('listens, replaces a socket that was left behind, and refuses one that is in use', async (t) => {
  const socket = join(temporaryFolder(t), 's');
  const first = listen({ socket, own: true });
  t.throws(() => listen({ socket, own: true }), { message: /another agent listens there; --takeover takes its place/ });
  closeSync(first);
  t.ok(existsSync(socket), 'it stays as a file');
  closeSync(listen({ socket, own: true }));
});

t.test('says what is wrong with the path', async (t) => {
  const folder = temporaryFolder(t);
  const cases: readonly (readonly [string, RegExp])[] = [
    [join(folder, 'missing', 'too', 's'), /its folder does not exist/],
    [join(folder, 'x'.repeat(120)), /too long for a socket/],
  ];
  for (const [socket, message] of cases) t.throws(() => listen({ socket, own: true }), { message });
});

t.test('the folder of an own agent is made, and that of the site is not', async (t) => {
  const folder = temporaryFolder(t);
  const own = join(folder, 'own', 's');
  closeSync(listen({ socket: own, own: true }));
  t.equal(statSync(join(folder, 'own')).mode & 0o777, 0o700);
  const message = /its folder does not exist/;
  t.throws(() => listen({ socket: join(folder, 'site', 's'), own: false }), { message });
});

t.test('with nobody there, a takeover only listens', async (t) => {
  const socket = join(temporaryFolder(t), 's');
  closeSync(await takeOver({ socket, own: true }, quiet));
  closeSync(await takeOver({ socket, own: true }, quiet));
});

t.test('what does not answer is not replaced', async (t) => {
  const socket = join(temporaryFolder(t), 's');
  const hangs = listen({ socket, own: true });
  t.teardown(() => closeSync(hangs));
  await t.rejects(takeOver({ socket, own: true }, quiet), { message: /no agent answers at .*: nothing within 2 s/ });
});
