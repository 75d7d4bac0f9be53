import t from 'tap';
import { splitWords } from '../../src/options/split-words.js';

t.test('the `--` that ends the options belongs to neither side', async (t) => {
  t.strictSame(splitWords(['proc_box', '--pids', '5', '--', 'app', 'x'], 4), {
    words: ['--pids', '5'],
    command: ['app', 'x'],
  });
  t.strictSame(splitWords(['proc_box', '--pids', '5', 'app', '--'], 3), {
    words: ['--pids', '5'],
    command: ['app', '--'],
  });
  t.strictSame(splitWords(['proc_box', 'app'], 1), { words: [], command: ['app'] });
  t.strictSame(splitWords(['proc_box', '--'], 2), { words: [], command: [] });
  t.strictSame(splitWords(['--', 'app'], 1), { words: [], command: ['app'] }, 'argv[0] is no option');
});
