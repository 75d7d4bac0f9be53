import t from 'tap';
import { filterText } from '../../../src/observe/source/filter.js';
import { cursorOf, firstView, type Pressed, press, scrollFor, type View } from '../../../src/observe/top/view.js';
import { topRow } from '../../fixtures/top-rows.js';

const rows = Array.from({ length: 100 }, (_, index) =>
  topRow(`b${index}`, { job: index < 3 ? 'x' : `${index}`, user: index === 2 ? 'bob' : 'alice' }),
);
const shown = { rows, height: 10 };

/** Presses keys: characters, or names in brackets. */
function type(view: View, keys: string, on = shown): Pressed {
  let pressed: Pressed = { view };
  for (const [, name, text] of keys.matchAll(/\[(\w+)\]|(.)/gu))
    pressed = press(
      pressed.view,
      name === undefined ? { name: 'char', text: text! } : { name: name as never, text: '' },
      on,
    );
  return pressed;
}
const first = firstView('cpu');

t.test('the cursor stays with its box when the order changes', async (t) => {
  const { view } = type(first, 'jjj');
  t.equal(view.selected, 'b3');
  t.equal(cursorOf(view, [...rows].reverse()), 96);
  t.equal(cursorOf(view, rows.slice(50)), 0, 'it has gone');
});

t.test('the table scrolls with the cursor, within its bounds', async (t) => {
  t.equal(type(first, '[pagedown]').view.selected, 'b10');
  t.equal(scrollFor(type(first, '[pagedown]').view, shown), 1);
  t.equal(type(first, '[end]').view.selected, 'b99');
  t.equal(scrollFor(type(first, '[end]').view, shown), 90);
  t.equal(type(first, '[end][down][pagedown]').view.selected, 'b99');
  t.equal(type(first, 'G[home][up]').view.selected, 'b0');
  t.equal(type(first, 'j', { rows: [], height: 10 }).view.selected, null, 'no rows');
});

t.test('a command needs a yes', async (t) => {
  for (const [key, action] of [
    ['k', 'kill'],
    ['s', 'suspend'],
    ['r', 'resume'],
  ] as const) {
    const asked = type(first, `jjjj${key}`);
    t.match(asked.view.question, { action, row: { box: 'b4' }, ofJob: 1 });
    t.equal(asked.effect, undefined, 'nothing is sent yet');
    t.strictSame(type(asked.view, 'y').effect, { kind: 'command', action, row: rows[4], wholeJob: false });
    for (const no of ['n', '[enter]', '[escape]', ' ', 'k', 'j', '[interrupt]', 'q', '[down]']) {
      const left = type(asked.view, no);
      t.equal(left.effect, undefined, `${no} is no yes`);
      t.equal(left.view.question, null);
    }
  }
});

t.test('the box that was asked about is meant, whatever the order is by then', async (t) => {
  const asked = type(first, 'jjjjk').view;
  const { effect } = type(asked, 'y', { rows: [...rows].reverse(), height: 10 });
  t.match(effect, { row: { box: 'b4' } });
});

t.test('a whole job is one of the same user', async (t) => {
  const asked = type(first, 'k').view;
  t.equal(asked.question?.ofJob, 2, 'not the job of bob that has the same id');
  t.match(type(asked, 'j').effect, { wholeJob: true, row: { box: 'b0' } });
});

t.test('a box that has ended gets no command', async (t) => {
  const { view } = type(first, 'k', { rows: [topRow('x', { state: 'ended' })], height: 5 });
  t.equal(view.question, null);
  t.match(view.message, { isError: true });
  t.equal(type(first, 'k', { rows: [], height: 5 }).view.question, null);
});

t.test('orders', async (t) => {
  t.equal(type(first, 'M').view.sort, 'memory');
  t.match(type(first, 'MM').view, { sort: 'memory', reversed: true });
  t.equal(type(first, '>').view.sort, 'memory');
  t.equal(type(first, '<').view.sort, 'state', 'from the first to the last');
  t.ok(type(first, 'R').view.reversed);
});

t.test('filters', async (t) => {
  const typed = type(first, '/user:bob x[backspace][backspace][enter]').view;
  t.equal(filterText(typed.filter), 'user:bob');
  t.equal(filterText(type(typed, '[escape]').view.filter), '', 'Esc shows all again');
  t.equal(type(first, '/user:bob[escape]').view.prompt, null);
  const mine = type(first, 'u').view;
  t.equal(filterText(mine.filter), 'user:alice');
  t.equal(filterText(type(mine, 'u').view.filter), '');
  t.equal(type(first, '/q').effect, undefined, 'a letter in the prompt is no key');
});

t.test('pages, and the way out', async (t) => {
  const details = type(first, 'jj[enter]').view;
  t.match(details, { page: 'details', selected: 'b2' });
  t.equal(type(details, 'q').view.page, 'table');
  t.equal(type(details, '[enter]').view.page, 'table');
  t.equal(type(first, 'h').view.page, 'help');
  t.equal(type(first, 'hk').view.question, null, 'no command from the help');
  t.equal(type(first, 'hjj').view.scroll, 2);
  t.equal(type(first, 'q').effect?.kind, 'quit');
  t.equal(type(details, '[interrupt]').effect?.kind, 'quit');
  t.equal(type(first, '[suspend]').effect?.kind, 'suspend');
  t.equal(type(first, '[redraw]').effect?.kind, 'redraw');
  t.ok(type(first, 'p').view.paused);
  t.notOk(type(first, 'e').view.showEnded);
  t.strictSame(type(first, 'x[unknown]').view, first);
});
