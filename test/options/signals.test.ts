import fc from 'fast-check';
import t from 'tap';
import { SpecError } from '../../src/errors.js';
import { parseSignal, signalName } from '../../src/options/signals.js';

t.test('signals are read as kill(1) reads them', async (t) => {
  const cases: [string, number][] = [
    ['15', 15],
    ['TERM', 15],
    ['SIGTERM', 15],
    ['sigterm', 15],
    ['-9', 9],
    ['-KILL', 9],
    ['-SIGKILL', 9],
    ['Quit', 3],
    ['1', 1],
    ['64', 64],
    ['RTMIN', 34],
    ['RTMIN+1', 35],
    ['SIGRTMIN+30', 64],
    ['RTMAX', 64],
    ['RTMAX-1', 63],
    ['rtmax-30', 34],
  ];
  for (const [text, number] of cases) t.equal(parseSignal(text), number, text);
});

t.test('what is no signal is refused, with the near name', async (t) => {
  const plain = (text: string) =>
    `"${text}" is not a signal: expected a name or a number from 1 to 64, for example "TERM" or "15"`;
  for (const text of ['', '0', '65', '-', '1.5', '999', 'RTMIN+31', 'RTMIN-1', 'RTMAX+1', '15 ', '__proto__']) {
    t.throws(() => parseSignal(text), new SpecError(plain(text)), text);
  }
  t.throws(() => parseSignal('TREM'), new SpecError(`${plain('TREM')}; did you mean "TERM"?`));
  t.throws(() => parseSignal('SIGQIUT'), new SpecError(`${plain('SIGQIUT')}; did you mean "QUIT"?`));
});

t.test('every number has a name that reads back', async (t) => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 64 }), (number) => parseSignal(signalName(number)) === number));
  t.equal(signalName(15), 'TERM');
  t.equal(signalName(35), 'RTMIN+1');
});
