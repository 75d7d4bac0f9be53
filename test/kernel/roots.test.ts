import t from 'tap';
import { readHead, readText } from '../../src/kernel/roots.js';

t.test('a file that is missing, or may not be read, is unknown', async (t) => {
  const dir = t.testdir({ text: 'a\n', folder: {} });
  t.equal(readText(`${dir}/text`), 'a\n');
  t.equal(readText(`${dir}/none`), undefined);
  t.equal(readText(`${dir}/folder`), undefined);
});

t.test('of a long file only the head is read', async (t) => {
  const dir = t.testdir({ long: 'x'.repeat(5000), short: 'a\n', empty: '', folder: {} });
  t.equal(readHead(`${dir}/long`), 'x'.repeat(4096));
  t.equal(readHead(`${dir}/short`), 'a\n');
  t.strictSame(
    ['empty', 'none', 'folder'].map((name) => readHead(`${dir}/${name}`)),
    ['', '', ''],
  );
});
