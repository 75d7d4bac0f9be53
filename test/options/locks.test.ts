import { createRequire } from 'node:module';
import t from 'tap';
import { SpecError } from '../../src/errors.js';
import { assembleSpec } from '../../src/options/assemble.js';
import type { BoxSpec } from '../../src/options/spec.js';

const SITE = '/etc/proc_box/config.yaml';

interface Given {
  readonly words?: readonly string[];
  readonly settings?: readonly string[];
  readonly site?: string | NodeJS.ErrnoException;
  readonly mine?: string;
  readonly locks?: 'kept' | 'ignored';
}

function specOf({ words = [], settings = [], site, mine, locks }: Given): BoxSpec {
  const contents: Readonly<Record<string, string | NodeJS.ErrnoException | undefined>> = {
    [SITE]: site,
    '/mine': mine,
    '/uri': 'amqp://file',
  };
  return assembleSpec({
    words,
    command: ['job'],
    settings,
    deadline: { scheduler: 'none', remainingMs: null },
    loadYaml: () => createRequire(import.meta.url)('yaml'),
    files: {
      uid: 1000,
      read(path) {
        const found = contents[path] ?? Object.assign(new Error('absent'), { code: 'ENOENT' });
        if (found instanceof Error) return found.code ?? '';
        return { text: found, mode: 0o600, uid: 1000 };
      },
    },
    ...(locks && { locks }),
  }).spec;
}

const refused = (origin: string, line = 2) =>
  new SpecError(`${origin}: the site has locked this option (${SITE}:${line}): leave it out`);

const USER = 'control-auth: user\nlocked: control-auth\n';

t.test('what the site has locked no other source changes', async (t) => {
  t.equal(specOf({ site: USER }).controlAuth, 'user');
  const loosened: readonly (readonly [Given, string])[] = [
    [{ words: ['--control-auth', 'broker'] }, '--control-auth'],
    [{ words: ['--control-auth=signed'] }, '--control-auth'],
    [{ settings: ['PBOX_CONTROL_AUTH=broker'] }, 'PBOX_CONTROL_AUTH'],
    [{ words: ['--config', '/mine'], mine: 'sint: 1s\ncontrol-auth: broker\n' }, '/mine:2: control-auth'],
    [{ settings: ['PBOX_CONFIG=none', 'PBOX_CONTROL_AUTH=broker'] }, 'PBOX_CONTROL_AUTH'],
    [{ words: ['--config', SITE, '--control-auth', 'broker'] }, '--control-auth'],
    [{ words: ['--control-rules', '[{"users": ["*"], "commands": ["*"]}]'] }, '--control-rules'],
    [{ words: ['--control-keys', '/mine'] }, '--control-keys'],
  ];
  for (const [given, origin] of loosened) {
    t.throws(() => specOf({ site: USER, ...given }), refused(origin), JSON.stringify(given));
  }
});

t.test('no other config file, and none, gets rid of it', async (t) => {
  const site = `sint: 7s\n${USER}`;
  t.match(specOf({ site }), { controlAuth: 'user', sampleIntervalMs: 7000 });
  for (const words of [
    ['--config', 'none'],
    ['--config', '/mine'],
    ['--config', SITE],
  ]) {
    const spec = specOf({ site, mine: 'skey: x\n', words });
    t.equal(spec.controlAuth, 'user', words.join(' '));
    t.equal(spec.sampleIntervalMs, words[1] === SITE ? 7000 : 60_000, 'what is not locked is as ever');
  }
  t.equal(specOf({ site, settings: ['PBOX_CONFIG=none'] }).controlAuth, 'user');
});

t.test('saying the same as the site is no fault', async (t) => {
  t.equal(specOf({ site: USER, words: ['--control-auth', 'user'] }).controlAuth, 'user');
  t.equal(specOf({ site: 'sint: 60s\nlocked: sint\n', settings: ['PBOX_SINT=1m'] }).sampleIntervalMs, 60_000);
});

t.test('an option that is locked without a value is at its default', async (t) => {
  t.equal(specOf({ site: 'locked: control-auth\n' }).controlAuth, 'broker');
  t.throws(
    () => specOf({ site: 'locked: control-auth\n', words: ['--control-auth', 'user'] }),
    refused('--control-auth', 1),
  );
  t.throws(() => specOf({ site: 'locked: audit-log\n', words: ['--audit-log', '/x'] }), refused('--audit-log', 1));
});

t.test('options that are one setting are locked together', async (t) => {
  const site = 'uri: amqp://site\nlocked: uri\n';
  t.strictSame(specOf({ site }).uris, ['amqp://site:5672']);
  t.throws(() => specOf({ site, words: ['--uri-file', '/uri'] }), refused('--uri-file'));
  t.throws(() => specOf({ site, words: ['--uri', 'none'] }), refused('--uri'));
  const file = 'uri-file: /uri\nlocked: uri-file\n';
  t.strictSame(specOf({ site: file, words: ['--config', 'none'] }).uris, ['amqp://file:5672']);
  t.throws(() => specOf({ site: file, settings: ['PBOX_URI=amqp://mine:secret@h'] }), refused('PBOX_URI'));
});

t.test('several are named with commas or as a list', async (t) => {
  for (const locked of [
    'locked: sint, rows',
    'locked: "sint,rows"',
    'locked: [sint, rows]',
    'locked:\n  - sint\n  - rows',
  ]) {
    const site = `sint: 5s\n${locked}\n`;
    for (const name of ['sint', 'rows']) {
      t.throws(
        () => specOf({ site, words: [`--${name}`, name === 'sint' ? '1s' : '1'] }),
        refused(`--${name}`),
        locked,
      );
    }
  }
});

t.test('a lock is for the site alone, and names options', async (t) => {
  const wrong: readonly (readonly [Given, RegExp])[] = [
    [
      { words: ['--config', '/mine'], mine: 'locked: sint\n' },
      /^\/mine:1: "locked" is allowed only in \/etc\/proc_box\/config\.yaml/,
    ],
    [{ site: 'locked: sins\n' }, /config\.yaml:1: "sins" is not an option; did you mean "sint"\?/],
    [{ site: 'locked: config\n' }, /config\.yaml:1: "config" cannot be set in a config file/],
    [{ site: 'locked: {sint: 1}\n' }, /config\.yaml:1: locked: expected names of options/],
    [{ words: ['--locked', 'sint'] }, /unknown option "--locked"/],
    [{ site: 'lock ed', words: ['--config', 'none'] }, /config\.yaml:1: not a mapping/],
  ];
  for (const [given, message] of wrong) t.throws(() => specOf(given), { name: 'SpecError', message });
});

t.test('only a file that is not there locks nothing', async (t) => {
  const unreadable = (code: string) => Object.assign(new Error('no'), { code });
  for (const words of [[], ['--config', 'none'], ['--config', '/mine']]) {
    for (const code of ['EACCES', 'EIO', 'ELOOP', 'EISDIR', 'EFBIG', 'EMFILE', 'ESTALE', 'EPERM']) {
      const given = { words, mine: 'sint: 1s\n', site: unreadable(code) };
      t.throws(() => specOf(given), { name: 'SpecError', message: /config\.yaml: (?!undefined)/ }, `${code} ${words}`);
    }
    for (const code of ['ENOENT', 'ENOTDIR'])
      t.equal(specOf({ words, mine: 'sint: 1s\n', site: unreadable(code) }).controlAuth, 'broker', code);
  }
});

t.test("operators' tools are not boxes", async (t) => {
  const site = 'uri: amqp://boxes\nlocked: uri\n';
  const spec = specOf({ site, words: ['--uri', 'amqp://operator'], locks: 'ignored' });
  t.strictSame(spec.uris, ['amqp://operator:5672']);
});
