import t from 'tap';
import { guardProcess } from '../../src/supervise/box-process.js';
import { linesLogger } from '../fixtures/light.js';

t.test('what nobody foresaw is told, and the boxes go on', async (t) => {
  const before = process.listeners('uncaughtException');
  t.teardown(() => {
    process.removeAllListeners('uncaughtException');
    for (const listener of before) process.on('uncaughtException', listener);
  });
  const { log, lines } = linesLogger();
  guardProcess(log);
  const [listener, ...others] = process.listeners('uncaughtException');
  t.equal(others.length, 0, 'and nobody else ends the process');
  listener!(new TypeError('x is not a function'), 'uncaughtException');
  t.equal(lines[0], 'proc_box: error: internal error, the job goes on: x is not a function');
  t.match(lines[1], /^proc_box: debug: TypeError: x is not a function.*box-process\.test/);
  listener!(Object.assign(new Error('Connection closed'), { name: 'IllegalOperationError' }), 'uncaughtException');
  t.strictSame(lines.slice(2), ['proc_box: debug: control: Connection closed'], 'of a link that ends is no error');
});
