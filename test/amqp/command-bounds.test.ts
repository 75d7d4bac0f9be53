import t from 'tap';
import { toCommand } from '../../src/amqp/command.js';
import { rowOf } from '../../src/box/limits.js';
import { cpusOutside, parseCpuList } from '../../src/options/resources.js';
import { parseRlimitValue } from '../../src/options/rlimits.js';
import { LIMITS } from '../../src/options/table/limits.js';
import { parseCount, parseDuration, parseSize } from '../../src/options/units.js';

/** What a command may make the event loop do: each line took seconds. */

const LONG = 32_000;
const MOST_MS = 200; // of a loaded machine; a few where it is quiet

for (const [what, attempt] of [
  ['a list of all CPUs, 3,000 times', () => cpusOutside(parseCpuList(Array(2_900).fill('0-99999').join(',')), '0-3')],
  ['a list of every second CPU', () => parseCpuList(Array.from({ length: 5_000 }, (_, i) => 2 * i).join(','))],
  ['digits without a unit', () => parseDuration(`${'1'.repeat(LONG)}x`)],
  ['digits and dots', () => parseDuration('1.'.repeat(LONG / 2))],
  ['a size', () => parseSize(`${'1'.repeat(LONG)}.`)],
  ['a count', () => parseCount('9'.repeat(LONG), 1, 10)],
  ['an rlimit', () => parseRlimitValue('nofile', ':'.repeat(LONG))],
  ['a CPU time of an rlimit', () => parseRlimitValue('cpu', `${'1'.repeat(LONG)}x`)],
  ['the name of a limit', () => rowOf(LIMITS, 'n'.repeat(LONG))],
  ['a signal', () => toCommand({ kind: 'request', name: 'kill', args: ['S'.repeat(LONG)] })],
  ['a grace period', () => toCommand({ kind: 'request', name: 'stop', args: ['5'.repeat(LONG)] })],
] as const) {
  t.test(`${what} is looked at in a bounded time`, (t) => {
    const before = performance.now();
    try {
      attempt();
    } catch (error) {
      t.ok((error as Error).message.length < 1_000, 'and refused in a few words');
    }
    const took = performance.now() - before;
    t.ok(took < MOST_MS, `${took.toFixed(1)} ms`);
    t.end();
  });
}

t.test('an argument that is longer than anything that means something is refused', (t) => {
  const command = toCommand({ kind: 'request', name: 'set_limit', args: ['cpuset', '0'.repeat(40_000)] });
  t.match(command, { kind: 'refusal', answer: { error: { code: 'bad_arguments' } } });
  t.end();
});

t.test('a list of CPUs is taken in its shortest form', (t) => {
  t.equal(parseCpuList('5,0-2,2,3,1-4'), '0-5');
  t.equal(parseCpuList('7'), '7');
  t.strictSame(cpusOutside('0-7', '0-3,6'), [4, 5, 7]);
  t.strictSame(cpusOutside('1,3', '0-3'), []);
  t.end();
});
