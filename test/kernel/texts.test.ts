import t from 'tap';
import { filesReadBy, readerOf, toTexts } from '../../src/kernel/texts.js';

t.test('texts are found by their paths, without their last newlines', async (t) => {
  const read = readerOf(toTexts(['/g/a', '/g/b'], ['1\n', null]));
  t.strictSame(read('/g', 'b', 'a', 'c'), [null, '1', null]);
});

t.test('the files that a function reads are named once', async (t) => {
  const files = filesReadBy((read) => {
    if (read('/g', 'a', 'b')[0] !== null) read('/h', 'a');
    read('/g', 'b');
  });
  t.strictSame(files, ['/g/a', '/g/b', '/h/a']);
});
