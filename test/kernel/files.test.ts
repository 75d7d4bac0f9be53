import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { directoriesIn, readFile, removeDir, removeTree, tryWrite, writeFile } from '../../src/kernel/files.js';

t.test('a file is written as it is, and never made', async (t) => {
  const dir = t.testdir({ 'pids.max': '' });
  t.equal(tryWrite(`${dir}/pids.max`, '12'), null);
  writeFile(`${dir}/pids.max`, '34');
  t.equal(readFileSync(`${dir}/pids.max`, 'utf8'), '34');
  const why = `write "max" to ${dir}/none: ENOENT`;
  t.equal(tryWrite(`${dir}/none`, 'max'), why);
  t.throws(() => writeFile(`${dir}/none`, 'max'), { name: 'EnvironmentError', message: why });
  t.notOk(existsSync(`${dir}/none`));
});

t.test('a text comes without its last newline, null where it cannot be read', async (t) => {
  const dir = t.testdir({ one: '1\n', blanks: ' a b \n\n', empty: '' });
  t.strictSame(
    ['one', 'blanks', 'empty', 'none', '.'].map((name) => readFile(`${dir}/${name}`)),
    ['1', ' a b', '', null, null],
  );
});

t.test('a directory goes where it is empty; one that has gone is removed', async (t) => {
  const dir = t.testdir({ empty: {}, full: { inner: {} } });
  t.equal(removeDir(`${dir}/empty`), true);
  t.equal(removeDir(`${dir}/empty`), true);
  t.equal(removeDir(`${dir}/full`), false);
  removeTree(`${dir}/full`);
  t.notOk(existsSync(`${dir}/full`), 'with the groups below it');
  removeTree(`${dir}/full`);
});

t.test('directories are named without files, also those whose name is not UTF-8', async (t) => {
  const dir = t.testdir({ a: {}, b: {}, file: '' });
  mkdirSync(Buffer.concat([Buffer.from(`${dir}/`), Buffer.from([0xe9])]));
  t.strictSame(directoriesIn(dir).sort(), ['a', 'b', '\udce9']);
  t.strictSame(directoriesIn(`${dir}/none`), []);
  t.strictSame(directoriesIn(`${dir}/file`), []);
});
