import t from 'tap';
import { SpecError } from '../../src/errors.js';
import type { BoxSpec } from '../../src/options/spec.js';
import { areTold, type Fallback, type FallbackInput, fallbacks } from '../../src/supervise/fallbacks.js';

t.test('whether the words tell where the command begins', async (t) => {
  const cases: readonly (readonly [readonly string[], boolean])[] = [
    [['--pids', '5'], true],
    [['--pids', 'many'], true],
    [['--nosuch'], false],
    [['--nosuch', './job'], false],
    [['--memory', '--pids'], false],
    [['--memory=--pids'], true],
    [[], true],
  ];
  for (const [words, told] of cases) t.equal(areTold(words), told, words.join(' '));
});

const error = new SpecError('--memory: no size');

interface Given extends Partial<Omit<FallbackInput, 'files'>> {
  /** The file of the site. */
  readonly site?: string;
  readonly asked?: BoxSpec;
}

function all({ site, asked, ...more }: Given): Fallback[] {
  const input: FallbackInput = {
    words: [],
    settings: [],
    command: ['./job', 'x'],
    files: { uid: 1000, read: () => (site === undefined ? 'ENOENT' : { text: site, mode: 0o644, uid: 0 }) },
    deadline: { scheduler: 'none', remainingMs: null },
    loadYaml: () => {
      throw new Error('the YAML parser is not needed');
    },
    ...more,
  };
  return [...fallbacks(input, error, asked ?? null)];
}

const NONE = { kind: 'none', says: 'the job runs without a box', spec: { cgroup: 'off', uris: [], timeoutMs: 0 } };

t.test('one wrong word does not cost the limits of others', async (t) => {
  const [box, limits, bare, ...more] = all({ words: ['--memory', 'much', '--pids', '5', '--uri', 'amqp://h'] });
  t.match(box, {
    kind: 'box',
    says: 'the job runs in a box without that',
    spec: { resources: { pids: 5 }, uris: ['amqp://h'], ignored: error.message, command: ['./job', 'x'] },
  });
  t.match(limits, {
    kind: 'limits',
    says: "the job runs with its command line's limits and nothing else of a box",
    spec: { resources: { pids: 5 }, uris: [], enforce: 'best-effort' },
  });
  t.match(bare, NONE);
  t.equal(more.length, 0);
});

t.test('what the site says still counts, and where it is what is wrong the limits alone do', async (t) => {
  const [box] = all({ words: ['--nosuch'], site: 'pids: 7\n' });
  t.match(box, { kind: 'box', spec: { resources: { pids: 7 } } });
  const [limits, bare] = all({ words: ['--pids', '5'], site: 'tiemout: 5s\n' });
  t.match(limits, { kind: 'limits', spec: { resources: { pids: 5 } } });
  t.match(bare, NONE);
  t.match(all({ words: [], site: 'tiemout: 5s\n' }), [NONE], 'without a limit there is nothing to hold');
});

t.test('variables count one by one, too', async (t) => {
  const [box] = all({ settings: ['PBOX_MEMORY=much', 'PBOX_PIDS=9'] });
  t.match(box, { kind: 'box', spec: { resources: { pids: 9 } } });
  t.equal(box!.spec.resources.memory, undefined);
});

t.test('words that need each other are kept together', async (t) => {
  const pem = '-----BEGIN CERTIFICATE-----';
  const files = {
    uid: 1000,
    read: (path: string) => (path.startsWith('/pem') ? { text: pem, mode: 0o600, uid: 1000 } : 'ENOENT'),
  };
  const words = ['--tls-cert', '/pem1', '--tls-key', '/pem2', '--memory', '1', '--uri', 'amqps://h'];
  const input = {
    words,
    settings: [],
    command: ['./job'],
    files,
    deadline: { scheduler: 'none', remainingMs: null },
    loadYaml: () => t.fail() as never,
  } as const;
  const { value: box } = fallbacks(input, error, null).next();
  t.match(box, { kind: 'box', spec: { rascalConfig: { connection: { socketOptions: { cert: pem, key: pem } } } } });
});

t.test('a box that was understood and is too strict becomes one of best effort', async (t) => {
  const strict = { enforce: 'strict', resources: {} } as unknown as BoxSpec;
  const [weaker, bare] = all({ asked: strict });
  t.match(weaker, {
    kind: 'box',
    says: 'the job runs in a box with those of its limits that can be held',
    spec: { enforce: 'best-effort', ignored: error.message },
  });
  t.match(bare, NONE);
  t.match(all({ asked: { ...strict, enforce: 'best-effort' } }), [NONE]);
});

t.test('the name of the job and how its end is passed on are kept without a box', async (t) => {
  const bare = all({ words: ['--argv0', 'x', '--reraise'] }).at(-1)!;
  t.match(bare, { ...NONE, spec: { argv0: 'x', reraise: true } });
});
