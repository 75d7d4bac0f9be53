import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Collector } from '../../../src/observe/source/collector.js';
import { temporaryFolder } from '../../fixtures/run.js';

async function serve(
  t: Test,
  answer: (request: IncomingMessage, response: ServerResponse, body: string) => void,
  path?: string,
) {
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (part) => (body += part));
    request.on('end', () => answer(request, response, body));
  });
  await new Promise<void>((resolve) =>
    path === undefined ? server.listen(0, '127.0.0.1', resolve) : server.listen(path, resolve),
  );
  t.teardown(() => server.close());
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
}

t.test('asks with the token, of the address or of a file', async (t) => {
  const seen: (string | undefined)[] = [];
  const base = await serve(t, ({ url, headers }, response) => {
    seen.push(url, headers.authorization);
    response.end('{"a": 1}');
  });
  t.strictSame(await new Collector(`${base}/?token=abc`).get('/boxes', { user: 'a b', job: undefined }), { a: 1 });
  await new Collector(`${base}/below/`, 'file').get('/x');
  t.strictSame(seen, ['/api/v1/boxes?user=a+b', 'Bearer abc', '/below/api/v1/x', 'Bearer file']);
  t.equal(new Collector(`${base}/?token=abc`).shown, base, 'no message shows the token');
});

t.test('a command is posted', async (t) => {
  const base = await serve(t, ({ method, headers }, response, body) =>
    response.end(JSON.stringify([method, headers['content-type'], body])),
  );
  t.strictSame(await new Collector(base).post('/commands', { command: 'kill' }), [
    'POST',
    'application/json',
    '{"command":"kill"}',
  ]);
});

t.test('over a Unix socket', async (t) => {
  const path = join(temporaryFolder(t), 'sock');
  await serve(t, (_, response) => response.end('[]'), path);
  t.strictSame(await new Collector(path).get('/users'), []);
});

t.test('what goes wrong is one clear line', async (t) => {
  const fails = async (status: number, text: string, message: RegExp) => {
    const base = await serve(t, (_, response) => {
      response.statusCode = status;
      response.end(text);
    });
    await t.rejects(new Collector(base).get('/x'), { name: 'EnvironmentError', message, status });
  };
  await fails(401, '{}', /it does not recognize you: give --token-file/);
  await fails(404, '{"detail": "no such job"}', /: no such job$/);
  await fails(200, '<html>', /its answer is not JSON: is it a collector\?/);
  await fails(500, 'x', /HTTP status 500/);
  await t.rejects(new Collector('http://127.0.0.1:1').get('/x'), { message: /ECONNREFUSED: is it running there\?/ });
  await t.rejects(new Collector('/nowhere/sock').get('/x'), { message: /ENOENT: is it running there\?/ });
  for (const odd of ['ftp://x', 'x', '']) t.throws(() => new Collector(odd), { name: 'SpecError' });
});
