import type { Span } from '../terminal/style.js';

const KEYS: readonly (readonly [string, string])[] = [
  ['arrows, PgUp, PgDn, Home, End', 'move'],
  ['Enter', 'show everything about one box; Enter or q goes back'],
  ['k', 'kill the box: SIGKILL to every process; asks first'],
  ['s', 'suspend the box; asks first'],
  ['r', 'resume it; asks first'],
  ['/', 'filter: user:alice job:1234 host:n1 state:suspended, or words'],
  ['u', 'show only the boxes of this user, or all again'],
  ['Esc', 'show all boxes again'],
  ['e', 'show or hide ended boxes'],
  ['< >', 'sort by the previous or next column'],
  ['P M L', 'sort by CPU, by memory, by the share of the memory limit'],
  ['I W', 'sort by I/O, by what tasks wait for (pressure)'],
  ['T E', 'sort by time used, by time left'],
  ['N U H', 'sort by job, by user, by host'],
  ['R', 'reverse the order'],
  ['p', 'pause the display'],
  ['Ctrl-L', 'redraw the screen'],
  ['Ctrl-Z', 'back to the shell; fg returns'],
  ['q, Ctrl-C', 'quit'],
];

const COLUMNS: readonly (readonly [string, string])[] = [
  ['S', 'new, run, susp(ended), stop(ping), end(ed), or ?: three samples are missing'],
  ['CPU%', '% of one core, for all processes of the box, since the previous sample'],
  ['MEM PEAK LIM', 'resident memory now, its peak, and the limit of the box'],
  ['MEMORY', 'memory as a share of the limit; | marks the peak'],
  ['R/s W/s', 'bytes per second read from and written to storage'],
  ['PSI', 'tasks waited for c(pu), m(emory) or i(o) in this % of the last 10 s'],
  ['TIME', 'wall clock time used, and its limit'],
];

const WIDTH = 14;

/** The page of `h`. */
export function helpLines(): Span[][] {
  const row = ([name, text]: readonly [string, string]): Span[] =>
    name.length < WIDTH
      ? [{ text: name.padEnd(WIDTH), style: 'bold' }, { text }]
      : [{ text: `${name}  `, style: 'bold' }, { text }];
  return [...KEYS.map(row), [], ...COLUMNS.map(row)];
}
