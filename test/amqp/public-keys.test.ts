import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { isKeyId, parsePublicKey, publicKeyProblems, readPublicKey } from '../../src/amqp/public-keys.js';
import { temporaryFolder } from '../fixtures/run.js';

const whole = { kty: 'OKP', crv: 'Ed25519', x: 'AAAA', kid: 'k', name: 'n', commands: ['*'], owners: ['*'] };

t.test('the id of a key is the name of a file, and leads nowhere else', async (t) => {
  for (const id of ['ops-2026', 'a', '_', 'A.b-c_d', 'x'.repeat(64)]) t.ok(isKeyId(id), id);
  for (const id of ['', '.', '..', '.a', 'a/b', 'a b', 'ä', 'x'.repeat(65), 7, null]) t.notOk(isKeyId(id), String(id));
});

t.test('the file of a key must be whole', async (t) => {
  t.equal(parsePublicKey('k', JSON.stringify(whole)).name, 'n');
  t.equal(parsePublicKey('k', JSON.stringify({ ...whole, use: 'sig', alg: 'EdDSA' })).name, 'n', 'a JWK may say more');
  const wrong: readonly (readonly [object, RegExp])[] = [
    [{ d: 'secret' }, /it is a private key: make a new pair/],
    [{ kty: 'EC' }, /not a public Ed25519 key/],
    [{ crv: 'X25519' }, /not a public Ed25519 key/],
    [{ kid: 'other' }, /"kid" does not match the name of its file/],
    [{ name: undefined }, /has no "name"/],
    [{ commands: undefined }, /commands: expected a list/],
    [{ commands: ['kil'] }, /"kil" matches no command; did you mean "kill"/],
    [{ owners: 'alice' }, /owners: expected a list/],
  ];
  for (const [more, message] of wrong) {
    t.throws(() => parsePublicKey('k', JSON.stringify({ ...whole, ...more })), message);
  }
  t.throws(() => parsePublicKey('k', '{'), /not JSON/);
  t.throws(() => parsePublicKey('k', 'null'), /not a JSON object/);
});

t.test('a key is read from its folder, where nobody else may write', async (t) => {
  const folder = join(temporaryFolder(t), 'keys');
  const path = join(folder, 'k.json');
  const reading = () => readPublicKey(folder, 'k');
  await t.rejects(reading(), { message: `${path} does not exist` });
  mkdirSync(folder);
  await t.rejects(reading(), { message: `${path} does not exist` });
  writeFileSync(path, JSON.stringify(whole), { mode: 0o644 });
  t.match(await reading(), { id: 'k', name: 'n', commands: ['*'], owners: ['*'], jwk: { x: 'AAAA' } });
  t.strictSame(await publicKeyProblems(folder), []);
  for (const [what, mode, back] of [
    [path, 0o664, 0o644],
    [path, 0o646, 0o644],
    [folder, 0o777, 0o755],
  ] as const) {
    chmodSync(what, mode);
    const why = `${what}: group or others may write it (mode 0${mode.toString(8)}); run: chmod go-w ${what}`;
    await t.rejects(reading(), { message: why });
    t.strictSame(await publicKeyProblems(folder), [why]);
    chmodSync(what, back);
  }
  writeFileSync(path, 'x'.repeat(16 * 1024 + 1));
  await t.rejects(reading(), { message: `${path}: it is not a regular file of at most 16 KiB` });
  mkdirSync(join(folder, 'd.json'));
  await t.rejects(readPublicKey(folder, 'd'), { message: /it is not a regular file of at most 16 KiB|EISDIR/ });
  if (process.geteuid?.() !== 0) return;
  chownSync(path, 54_321, 54_321);
  await t.rejects(reading(), { message: `${path}: it belongs to another user (uid 54321)` });
});

t.test('what is wrong with a folder is told at the start', async (t) => {
  const folder = temporaryFolder(t);
  t.strictSame(await publicKeyProblems(folder), [
    `${folder} holds no key (<key id>.json): every command is refused until there is one`,
  ]);
  writeFileSync(join(folder, 'a b.json'), '{}');
  t.strictSame(await publicKeyProblems(folder), [
    `${folder}/a b.json: its name is not a key id: at most 64 letters, digits, ".", "_", "-"`,
  ]);
  t.match(await publicKeyProblems(join(folder, 'none')), [
    /^ENOENT.*; every command is refused until the folder can be read$/,
  ]);
});
