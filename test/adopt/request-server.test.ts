import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { AdoptRequest } from '../../src/adopt/request.js';
import { type AdoptAnswer, receive } from '../../src/adopt/request-server.js';
import { linesLogger } from '../fixtures/light.js';
import { until } from '../fixtures/processes.js';
import { temporaryFolder } from '../fixtures/run.js';
import { talk } from '../fixtures/supervisor.js';
import { virtualTime } from '../fixtures/virtual-time.js';

/** A request as native/src/front/via.h has it. */
function frame(words: readonly string[] = ['proc_box', 'adopt', '--pid', '7'], pid = 1): Buffer {
  const text = Buffer.from(words.map((word) => `${word}\0`).join(''));
  const head = Buffer.alloc(24);
  head.writeUInt32LE(text.length, 0);
  head.writeUInt32LE(words.length, 4);
  head.writeInt32LE(pid, 8);
  return Buffer.concat([head, text]);
}

interface Wrap {
  bind(path: string): number;
  readonly fd: number;
}
type PipeWrap = { readonly Pipe: new (type: number) => Wrap; readonly constants: { readonly SERVER: number } };

/** The descriptor of a bound socket that this process does not serve yet, as the front end passes it. */
function boundSocket(path: string): number {
  const { Pipe, constants } = (process as unknown as { binding(name: string): PipeWrap }).binding('pipe_wrap');
  const wrap = new Pipe(constants.SERVER);
  if (wrap.bind(path) !== 0) throw new Error(`bind ${path}`);
  kept.push(wrap);
  return wrap.fd;
}
/** Keeps the sockets open: a collected wrap closes its descriptor. */
const kept: Wrap[] = [];

function reception(t: Test, take: (request: AdoptRequest, answer: AdoptAnswer) => boolean = () => true) {
  const socket = join(temporaryFolder(t), 'socket');
  const { log, lines } = linesLogger();
  const asked: AdoptRequest[] = [];
  const end = receive(boundSocket(socket), log, (request, answer) => {
    asked.push(request);
    return take(request, answer);
  });
  t.teardown(end);
  return { socket, lines, asked, end };
}

const textOf = (answer: Buffer) => [answer[0], answer.toString('utf8', 1)];

t.test('a request and its answer: the status, then the text', async (t) => {
  const { socket, asked } = reception(t, (_, answer) => {
    answer(7, 'so it is\n');
    return true;
  });
  const { client, answer } = talk(t, socket);
  client.write(frame(['proc_box', 'adopt', '--pid', '7'], 4711));
  t.strictSame(textOf(await answer), [7, 'so it is\n']);
  t.match(
    asked,
    [{ argv: ['proc_box', 'adopt', '--pid', '7'], pid: process.pid }],
    'the pid is that of the kernel, not that of the request',
  );
});

t.test('a request in pieces, and answers in another order than the requests', async (t) => {
  const answers: AdoptAnswer[] = [];
  const { socket } = reception(t, (_, answer) => answers.push(answer) > 0);
  const first = talk(t, socket);
  const whole = frame();
  first.client.write(whole.subarray(0, 30));
  first.client.write(whole.subarray(30));
  await until(() => answers.length === 1, 'the first has asked');
  const second = talk(t, socket);
  second.client.write(whole);
  await until(() => answers.length === 2, 'the second has asked');
  answers[1]!(0, 'second');
  t.strictSame(textOf(await second.answer), [0, 'second']);
  answers[0]!(0, 'first');
  t.strictSame(textOf(await first.answer), [0, 'first']);
});

t.test('a client whose request is not taken gets no answer', async (t) => {
  const { socket } = reception(t, () => false);
  const { client, answer } = talk(t, socket);
  client.write(frame());
  t.equal((await answer).length, 0);
});

t.test('bytes that are not a request are refused in one line, and the next request is taken', async (t) => {
  const { socket, asked, lines } = reception(t, (_, answer) => {
    answer(0, '');
    return true;
  });
  for (const bytes of [Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'), frame(['proc_box', 'list'])]) {
    const { client, answer } = talk(t, socket);
    client.write(bytes);
    const [status, text] = textOf(await answer);
    t.equal(status, 125);
    t.match(text, /^proc_box: error: [^\n]+\n$/);
  }
  t.equal(lines.filter((line) => line.includes('a request was refused: ')).length, 2);
  const { client, answer } = talk(t, socket);
  client.write(frame());
  t.equal((await answer)[0], 0);
  t.equal(asked.length, 1);
});

t.test('a request that fails while it is carried out is refused, too', async (t) => {
  const { socket } = reception(t, () => {
    throw new Error('no more descriptors');
  });
  const { client, answer } = talk(t, socket);
  client.write(frame());
  t.strictSame(textOf(await answer), [125, 'proc_box: error: no more descriptors\n']);
});

t.test('a client that leaves before its request is whole is forgotten', async (t) => {
  const { socket, asked, lines } = reception(t);
  const { client, answer } = talk(t, socket);
  client.end(frame().subarray(0, 10));
  t.equal((await answer).length, 0);
  t.strictSame([asked, lines], [[], []]);
});

t.test('a client that says nothing is refused after five seconds', async (t) => {
  const time = virtualTime(t);
  const { socket } = reception(t);
  const { client, answer } = talk(t, socket);
  client.write(frame().subarray(0, 10));
  while (time.armed() === 0) await new Promise(setImmediate);
  await time.advance(5_000);
  t.strictSame(textOf(await answer), [125, 'proc_box: error: no whole request within 5 s\n']);
});

t.test(
  'at the end, clients that have asked get their answer, silent ones are disconnected, and new ones are not let in',
  async (t) => {
    const answers: AdoptAnswer[] = [];
    const { socket, end } = reception(t, (_, answer) => answers.push(answer) > 0);
    const asking = talk(t, socket);
    asking.client.write(frame());
    const silent = talk(t, socket);
    silent.client.write(frame().subarray(0, 10));
    await until(() => answers.length === 1, 'one has asked');
    await new Promise<void>((resolve) => setImmediate(resolve));
    end();
    t.equal((await silent.answer).length, 0);
    t.equal((await talk(t, socket).answer).length, 0);
    answers[0]!(0, 'late');
    t.strictSame(textOf(await asking.answer), [0, 'late']);
  },
);
