import t from 'tap';
import { serviceOf } from '../../src/agent/service.js';
import { createLogger } from '../../src/log.js';

function service(environment: Readonly<Record<string, string>>) {
  const lines: string[] = [];
  return { service: serviceOf(environment, 12, createLogger('info', { write: (line) => lines.push(line) })), lines };
}

t.test('without systemd it listens itself, and tells nobody', async (t) => {
  const { service: alone, lines } = service({});
  t.equal(alone.listener, null);
  alone.notify('READY=1', 'ready');
  t.strictSame(lines, []);
});

t.test('a socket for another process, or none, is not taken', async (t) => {
  for (const environment of [
    { LISTEN_PID: '13', LISTEN_FDS: '1' },
    { LISTEN_PID: '12', LISTEN_FDS: '0' },
    { LISTEN_PID: '12', LISTEN_FDS: 'x' },
    { LISTEN_FDS: '1' },
    { LISTEN_PID: '12', LISTEN_FDS: '1' }, // descriptor 6 of this test does not listen
  ]) {
    t.equal(service(environment as Record<string, string>).service.listener, null);
  }
});

t.test('what cannot be told is a warning', async (t) => {
  for (const NOTIFY_SOCKET of ['/nonexistent/notify', '@nobody-listens-here', 'x'.repeat(200)]) {
    const { service: of, lines } = service({ NOTIFY_SOCKET });
    of.notify('READY=1', 'ready');
    of.notify('', 'on');
    t.match(lines[0], /warn: tell systemd "READY=1": /);
    t.match(lines[1], /warn: tell systemd "on": /);
  }
});
