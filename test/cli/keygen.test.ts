import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parsePublicKey } from '../../src/amqp/public-keys.js';
import { runKeygen } from '../../src/cli/keygen.js';
import { parseSignKey } from '../../src/cli/sign.js';
import { temporaryFolder } from '../fixtures/run.js';

t.test('a key to sign with, and the public one for the boxes', async (t) => {
  const dir = temporaryFolder(t);
  const printed = runKeygen([
    '--dir',
    dir,
    '--name=Olga',
    '-commands',
    'ping, sus*',
    '--owners',
    'alice,bob',
    'olga-1',
  ]);
  t.match(printed, `${dir}/olga-1.key   private, mode 0600: proc_box ctl --sign-key ${dir}/olga-1.key ...\n`);
  t.match(printed, `${dir}/olga-1.json  public: copy it into the folder of --control-keys`);
  t.equal(statSync(join(dir, 'olga-1.key')).mode & 0o777, 0o600);
  const secret = parseSignKey(readFileSync(join(dir, 'olga-1.key'), 'utf8'), '--sign-key');
  t.match(secret, { kid: 'olga-1' });
  const open = readFileSync(join(dir, 'olga-1.json'), 'utf8');
  t.match(parsePublicKey('olga-1', open), { name: 'Olga', commands: ['ping', 'sus*'], owners: ['alice', 'bob'] });
  t.notOk(open.includes(secret.d) || printed.includes(secret.d), 'the secret is in its file only');
});

t.test('without options it may do everything, in the name of its user', async (t) => {
  const dir = temporaryFolder(t);
  runKeygen(['--dir', dir, 'k']);
  t.match(JSON.parse(readFileSync(join(dir, 'k.json'), 'utf8')), { name: /./, commands: ['*'], owners: ['*'] });
});

t.test('a key is never written over', async (t) => {
  for (const file of ['k.key', 'k.json']) {
    const dir = temporaryFolder(t);
    writeFileSync(join(dir, file), 'old');
    t.throws(() => runKeygen(['--dir', dir, 'k']), {
      name: 'SpecError',
      message: `${dir}/${file} already exists, and keygen never overwrites a key; choose another key id`,
    });
    t.equal(readFileSync(join(dir, file), 'utf8'), 'old');
    t.notOk(existsSync(join(dir, file === 'k.key' ? 'k.json' : 'k.key')), 'nor is half a pair left');
  }
});

t.test('what is wrong is said before anything is written', async (t) => {
  const cases: readonly (readonly [readonly string[], string | RegExp])[] = [
    [[], 'keygen needs a key id, for example "olga-2026"; see keygen --help'],
    [['a', 'b'], 'keygen makes one key at a time: "b" is one argument too many'],
    [['a/b'], '"a/b" is not a key id: at most 64 letters, digits, ".", "_", "-", for example "olga-2026"'],
    [['--nam', 'x', 'a'], 'unknown option "--nam"; did you mean --name?'],
    [['--qqqqqq', 'a'], 'unknown option "--qqqqqq"; "proc_box ctl keygen --help" lists them'],
    [['a', '--name'], '--name needs a value'],
    [['--name=', 'a'], '--name needs a value'],
    [['--commands', 'kil', 'a'], /--commands: "kil" matches no command; did you mean "kill"/],
    [['--dir', '/no/such', 'a'], 'write /no/such/a.key: ENOENT'],
  ];
  for (const [words, message] of cases)
    t.throws(() => runKeygen(words), { name: 'SpecError', message }, words.join(' '));
});

t.test('help is printed, whatever else is wrong', async (t) => {
  for (const words of [['--help'], ['-h'], ['a', 'b', '--help']])
    t.match(runKeygen(words), /^usage: proc_box ctl keygen/);
});
