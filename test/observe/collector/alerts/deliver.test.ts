import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import t from 'tap';
import { createLogger } from '../../../../src/log.js';
import { deliverer, mailText } from '../../../../src/observe/collector/alerts/deliver.js';

const ALERT = {
  at_ms: 0,
  alert: 'oom',
  job: '7',
  cluster: null,
  user: 'alice',
  host: 'n1',
  box: 'b',
  text: 'killed',
} as const;
const NONE = { webhook: undefined, mailTo: [], mailUsers: false, sendmail: '/nowhere', key: undefined };

function setup(alerts: object, publish = async (_key: string, _body: string) => {}) {
  const lines: string[] = [];
  const log = createLogger('warn', { write: (line) => lines.push(line) });
  return {
    lines,
    deliver: deliverer({ alerts: { ...NONE, ...alerts }, publish, log, timeoutMs: 5_000, retryMs: [1, 1] }),
  };
}

t.test('a webhook that fails is tried again', async (t) => {
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request
      .on('data', (part) => (body += part))
      .on('end', () => {
        bodies.push(body);
        response.writeHead(bodies.length < 3 ? 500 : 200).end();
      });
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  const { deliver, lines } = setup({ webhook: `http://127.0.0.1:${port}/hook` });
  await deliver(ALERT);
  t.equal(bodies.length, 3);
  t.match(JSON.parse(bodies[2]!), {
    alert: 'oom',
    summary: 'killed',
    text: 'proc_box: oom: job 7 of alice (n1): killed',
  });
  t.strictSame(lines, []);
});

t.test('one way that fails does not keep the others, and is told once without a password', async (t) => {
  const published: string[] = [];
  const { deliver, lines } = setup(
    { webhook: 'http://u:secret@127.0.0.1:1/', mailTo: ['ops'], key: 'alerts' },
    async (key) => void published.push(key),
  );
  await deliver(ALERT);
  t.strictSame(published, ['alerts.oom']);
  t.equal(lines.length, 2);
  t.notMatch(lines.join(), /secret/);
});

t.test('mail goes to sendmail, and no name becomes an option, an address or a header', async (t) => {
  const folder = t.testdir();
  const sendmail = join(folder, 'sendmail');
  writeFileSync(sendmail, `#!/bin/sh\necho "$@" > ${folder}/args\ncat > ${folder}/mail\n`);
  chmodSync(sendmail, 0o755);
  await setup({ sendmail, mailTo: ['ops@site'], mailUsers: true }).deliver(ALERT);
  t.equal(readFileSync(join(folder, 'args'), 'utf8'), '-i -- ops@site alice\n');
  await setup({ sendmail, mailTo: ['ops@site'], mailUsers: true }).deliver({
    ...ALERT,
    user: '-Cevil@x',
    job: '7\nBcc: all@site',
  });
  t.equal(readFileSync(join(folder, 'args'), 'utf8'), '-i -- ops@site\n');
  t.notMatch(readFileSync(join(folder, 'mail'), 'utf8'), /^Bcc:/m);
  t.notMatch(mailText({ ...ALERT, host: 'h\r\nBcc: x' }, ['a']), /^Bcc/m);
});
