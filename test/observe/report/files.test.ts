import { appendFileSync, chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readInto } from '../../../src/observe/report/files.js';
import { KnownBoxes } from '../../../src/observe/report/known-boxes.js';
import { exitedMessage, sampleMessage } from '../../fixtures/observed.js';

const AT = Date.UTC(2026, 10, 30);
const end = (box: string) => exitedMessage({ box, job: '1234' }, 9, AT);
const folder = t.testdir({});

async function read(name: string, content?: string) {
  const path = join(folder, name);
  if (content !== undefined) writeFileSync(path, content);
  const boxes = new KnownBoxes();
  await readInto(boxes, path);
  return boxes;
}

t.test('a report file, lines of messages, a list, and what rabbitmqadmin prints', async (t) => {
  t.equal((await read('report.json', `${JSON.stringify(end('b1'), null, 2)}\n`)).count, 1);
  t.equal((await read('one.json', JSON.stringify(end('b1')))).count, 1);
  const lines = await read(
    'lines.jsonl',
    [end('b1'), sampleMessage({ box: 'b2' }, 1, AT), end('b3')].map((one) => JSON.stringify(one)).join('\n'),
  );
  t.match(lines, { count: 3, unreadable: 0 });
  t.equal((await read('list.json', JSON.stringify([end('b1'), end('b2')]))).count, 2);
  t.equal(
    (await read('admin.json', JSON.stringify([{ payload: JSON.stringify(end('b1')), routing_key: 'x' }], null, 1)))
      .count,
    1,
  );
});

t.test('odd lines are counted, and the others are read', async (t) => {
  const text = [
    '',
    JSON.stringify(end('b1')),
    'proc_box: a log line',
    '{"event":',
    JSON.stringify(end('b2')),
    '\x00',
  ].join('\n');
  t.match(await read('mixed', text), { count: 2, unreadable: 3 });
  t.match(await read('torn', JSON.stringify(end('b1')).slice(0, 50)), { count: 0, unreadable: 1 });
});

t.test('a large file is read in parts, and a line without an end does not fill the memory', async (t) => {
  const path = join(folder, 'large.jsonl');
  writeFileSync(path, `${JSON.stringify(end('b1'))}\n`);
  for (let part = 0; part < 80; part++) appendFileSync(path, 'x'.repeat(1024 * 1024));
  appendFileSync(path, `\n${JSON.stringify(end('b2'))}\n`);
  t.match(await read('large.jsonl'), { count: 2, unreadable: 1 });
});

t.test('a folder: the files whose names say that they may hold messages', async (t) => {
  mkdirSync(join(folder, 'reports'));
  for (const name of ['a.json', 'b.jsonl', 'c.txt'])
    writeFileSync(join(folder, 'reports', name), JSON.stringify(end(name)));
  t.equal((await read('reports')).count, 2);
  mkdirSync(join(folder, 'empty'));
  await t.rejects(read('empty'), { name: 'SpecError', message: /no file whose name ends in/ });
});

t.test('what cannot be read', async (t) => {
  await t.rejects(read('gone'), { name: 'SpecError', message: /^read .*\/gone: there is no such file$/ });
  await t.rejects(read('nothing.json', ''), { message: /contains no message$/ });
  if (process.geteuid?.() === 0) return;
  writeFileSync(join(folder, 'secret'), '');
  chmodSync(join(folder, 'secret'), 0);
  await t.rejects(read('secret'), { message: /you may not read it$/ });
});
