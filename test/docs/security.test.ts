import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parsePublicKey } from '../../src/amqp/public-keys.js';
import { assembleSpec } from '../../src/options/assemble.js';

/** docs/security.md, scripts/site/rabbitmq and the program say the same. */

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const page = readFileSync(join(root, 'docs/security.md'), 'utf8');
const site = join(root, 'scripts/site/rabbitmq');

t.test('the commands of the page are what the script does', async (t) => {
  const commands = [...page.matchAll(/^rabbitmqctl (set_\w+) -p proc_box (\S+) ([\s\S]*?[^\\])$/gm)].map(
    ([, name, user, rest]) =>
      [name, user, ...rest!.matchAll(/'[^']*'|[^\s'\\]+/g)].map((word) => String(word).replaceAll("'", '')),
  );
  t.equal(commands.length, 10);
  for (const [role, user] of [
    ['user', 'alice'],
    ['operator', 'op-olga'],
    ['collector', 'collect'],
    ['agent', 'agent'],
  ] as const) {
    const { stdout } = spawnSync(join(site, 'proc_box-rabbitmq'), ['--print', `add-${role}`, user], {
      encoding: 'utf8',
    });
    const { permissions, topic_permissions } = JSON.parse(stdout);
    const written = commands.filter(([, name]) => name === user);
    const { configure, write, read } = permissions[0];
    t.strictSame(written[0], ['set_permissions', user, configure, write, read]);
    for (const [, , exchange, ...patterns] of written.slice(1)) {
      const own = topic_permissions.find((one: { exchange: string }) => one.exchange === exchange);
      t.strictSame(patterns, [own.write, own.read], `${user} ${exchange}`);
    }
  }
});

t.test("the site's config file is one, and the rules of the page are rules", async (t) => {
  const rules = /^# \/etc\/proc_box\/config\.yaml\n(control-auth: user[\s\S]*?)```/m.exec(page)![1]!;
  for (const text of [readFileSync(join(site, 'config.yaml'), 'utf8'), rules]) {
    const result = assembleSpec({
      words: [],
      command: ['job'],
      settings: [],
      deadline: { scheduler: 'none', remainingMs: null },
      loadYaml: () => createRequire(import.meta.url)('yaml'),
      files: { uid: 0, read: (path) => (path.startsWith('~/') ? 'ENOENT' : { text, mode: 0o644, uid: 0 }) },
    });
    t.match(result, { spec: { controlAuth: 'user' } });
    t.ok(result.warnings.every((text) => text.includes('without a broker')));
    t.equal(result.spec.controlRules.length, 2);
  }
});

t.test('the key of the page is a key', async (t) => {
  const jwk = /^\{"kty": "OKP"[\s\S]*?\]\}$/m.exec(page)![0];
  t.match(parsePublicKey('olga-2026', jwk), { name: 'Olga Operator', commands: ['*'] });
});
