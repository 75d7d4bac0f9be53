import t from 'tap';
import { EnvironmentError } from '../../../src/errors.js';
import type { Collector } from '../../../src/observe/source/collector.js';
import { parseFilter } from '../../../src/observe/source/filter.js';
import { CollectorSource, rowOfApi } from '../../../src/observe/top/collector-source.js';

const row = (box: string, more = {}) => ({
  box,
  job: '1',
  user: 'alice',
  host: 'n1',
  state: 'running',
  silent: false,
  cpu_percent: 5,
  memory_bytes: 7,
  memory_peak_bytes: 9,
  updated_ms: 1000,
  executable: './x',
  ...more,
});

function collector(answer: (path: string, query: Record<string, string | undefined>) => unknown) {
  const asked: Record<string, string | undefined>[] = [];
  const get = async (path: string, query = {}) => {
    asked.push({ path, ...query });
    return answer(path, query);
  };
  return { asked, collector: { shown: 'http://c', get } as unknown as Collector };
}
const wanted = { sort: 'cpu', reversed: false, filters: [parseFilter('user:alice job:1*')] } as const;

t.test('asks for the order and the filters of the screen', async (t) => {
  const { collector: from, asked } = collector(() => ({ at_ms: 1500, matching: 700, rows: [row('b1'), { odd: 1 }] }));
  const source = new CollectorSource(from, 60_000, wanted);
  t.teardown(() => source.close());
  await source.open();
  t.match(asked, [{ path: '/boxes', sort: '-cpu_percent', user: 'alice', job: undefined }]);
  t.match(source.rows(), [{ box: 'b1', cpu_percent: 5, memory: 7, memory_peak: 9, command: './x', age_ms: 500 }]);
  t.match(source.state(), { text: 'from http://c, 699 more boxes below these', isError: false });
});

t.test('fetches every row in parts for a table that is printed', async (t) => {
  const all = Array.from({ length: 1200 }, (_, index) => row(`b${index}`));
  const { collector: from } = collector((_, { offset }) => ({
    matching: 1200,
    rows: all.slice(Number(offset), Number(offset) + 500),
  }));
  t.equal((await new CollectorSource(from, 1000, wanted).all()).length, 1200);
});

t.test('a collector that goes away is told, and asked again', async (t) => {
  let fails = false;
  const { collector: from } = collector(() => {
    if (fails) throw new EnvironmentError('collector http://c: ECONNREFUSED');
    return { matching: 1, rows: [row('b1')] };
  });
  const source = new CollectorSource(from, 1, wanted);
  t.teardown(() => source.close());
  await source.open();
  const reaches = async (isError: boolean) => {
    while (source.state().isError !== isError) await new Promise((resolve) => setTimeout(resolve, 2));
  };
  fails = true;
  await reaches(true);
  t.match(source.state().text, /ECONNREFUSED; trying again/);
  t.equal(source.rows().length, 1, 'what was known stays');
  fails = false;
  await reaches(false);
});

t.test('rows are foreign input', async (t) => {
  for (const odd of [null, 7, [], {}, { box: 'b' }]) t.strictSame(rowOfApi(odd, 0), []);
  t.match(rowOfApi(row('b', { cpu_percent: 'x', state: {}, silent: true }), 0), [
    { cpu_percent: null, state: 'silent' },
  ]);
});

t.test('more about one box', async (t) => {
  const { collector: from } = collector((path) =>
    path === '/boxes'
      ? { matching: 1, rows: [row('b/1')] }
      : {
          row: row('b/1'),
          limits: { memory: { value: 5, unit: 'bytes', enforcement: 'cgroup2' } },
          processes: [{ pid: 3, name: 'x', rss_bytes: 4 }, {}],
        },
  );
  const source = new CollectorSource(from, 60_000, wanted);
  t.teardown(() => source.close());
  await source.open();
  source.details(source.rows()[0]!);
  while (source.details(source.rows()[0]!) === undefined) await new Promise((resolve) => setTimeout(resolve, 1));
  t.match(source.details(source.rows()[0]!), {
    identity: { box: 'b/1' },
    sample: { largest: [{ pid: 3, rssBytes: 4 }] },
  });
});
