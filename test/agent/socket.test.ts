import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { ownSocket, SITE_SOCKET } from '../../src/agent/socket.js';

t.test('the sockets are those that the front end looks for', async (t) => {
  const native = join(dirname(fileURLToPath(import.meta.url)), '../../native/src/front/agent.cc');
  const text = readFileSync(native, 'utf8');
  t.ok(text.includes(`"${SITE_SOCKET}"`));
  t.ok(text.includes(`"${ownSocket({ XDG_RUNTIME_DIR: '/x' }).slice(2)}"`));
});

t.test('without XDG_RUNTIME_DIR the socket has to be named', async (t) => {
  for (const XDG_RUNTIME_DIR of [undefined, '', 'relative']) {
    t.throws(() => ownSocket({ XDG_RUNTIME_DIR }), { message: /name the socket with --socket/ });
  }
});
