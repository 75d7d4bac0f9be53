import t from 'tap';
import { typeInto } from '../../../src/observe/terminal/prompt.js';

const prompt = { label: 'Show: ', text: 'ab' };
const key = (name: Parameters<typeof typeInto>[1]['name'], text = '') => ({ name, text });

t.test('types, corrects and enters', async (t) => {
  t.match(typeInto(prompt, key('char', '\u00fc')), { text: 'ab\u00fc' });
  t.match(typeInto({ ...prompt, text: 'a\ud83d\ude00' }, key('backspace')), { text: 'a' });
  t.match(typeInto(prompt, key('clear')), { text: '' });
  t.strictSame(typeInto(prompt, key('enter')), { entered: 'ab' });
  t.equal(typeInto(prompt, key('escape')), 'left');
  t.equal(typeInto(prompt, key('interrupt')), 'left');
  t.equal(typeInto(prompt, key('up')), prompt);
});

t.test('is bounded', async (t) => {
  const long = { ...prompt, text: 'x'.repeat(200) };
  t.equal(typeInto(long, key('char', 'y')), long);
});
