import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { sharedBroker } from '../fixtures/broker.js';
import { connectOperator } from '../fixtures/operated-job.js';
import { PROC_BOX, plainEnvironment, temporaryFolder } from '../fixtures/run.js';

/** `proc_box ctl keygen` and `--sign-key`, against a real box that takes signed commands only. */

const uri = await sharedBroker(t);
const operator = await connectOperator(t, uri);
const dir = temporaryFolder(t);
const keys = join(dir, 'keys');
mkdirSync(keys, { mode: 0o755 });

function ctl(...words: string[]) {
  const env = plainEnvironment({ PBOX_CONFIG: 'none', PBOX_URI: uri });
  return spawnSync(PROC_BOX, ['ctl', ...words], { encoding: 'utf8', env, cwd: dir });
}

t.test('keygen makes a private key for its owner and a public one for the boxes', async (t) => {
  const { status, stdout, stderr } = ctl('keygen', '--name', 'Olga', '--commands', 'ping,sus*', 'olga-1');
  t.equal(status, 0, stderr);
  t.match(stdout, /olga-1\.key {3}private.*\nolga-1\.json {2}public/);
  t.equal(statSync(join(dir, 'olga-1.key')).mode & 0o777, 0o600);
  const open = JSON.parse(readFileSync(join(dir, 'olga-1.json'), 'utf8'));
  const { d, ...rest } = JSON.parse(readFileSync(join(dir, 'olga-1.key'), 'utf8'));
  t.strictSame(open, { ...rest, name: 'Olga', commands: ['ping', 'sus*'], owners: ['*'] });
  t.ok(d && open.d === undefined);
  t.notOk(stdout.includes(d), 'the secret is in its file only');
  const again = ctl('keygen', 'olga-1');
  t.equal(again.status, 125);
  t.match(again.stderr, /olga-1\.json already exists, and keygen never overwrites a key/);
  t.equal(JSON.parse(readFileSync(join(dir, 'olga-1.key'), 'utf8')).d, d);
  const wrong: readonly (readonly [string[], RegExp])[] = [
    [[], /needs a key id/],
    [['a/b'], /"a\/b" is not a key id/],
    [['a', 'b'], /one key at a time/],
    [['--nam', 'x', 'a'], /unknown option "--nam"; did you mean --name\?/],
    [['--commands', 'kil', 'a'], /"kil" matches no command/],
    [['--dir', '/no/such', 'a'], /write \/no\/such\/a\.key: ENOENT/],
  ];
  for (const [words, message] of wrong) {
    const { status, stderr } = ctl('keygen', ...words);
    t.equal(status, 125);
    t.match(stderr, message);
  }
  t.match(ctl('keygen', '--help').stdout, /^usage: proc_box ctl keygen/);
});

t.test('a signed command goes through, and says whose it was', async (t) => {
  renameSync(join(dir, 'olga-1.json'), join(keys, 'olga-1.json'));
  const options = ['--control-auth', 'signed', '--control-keys', keys, '--audit-log', join(dir, 'audit')];
  const job = await operator.start(t, ['sleep', '1000'], { options, env: { SLURM_JOB_ID: '4711' } });
  await job.message(({ body }) => body.event === 'started');
  const signed = (...words: string[]) =>
    ctl('--rkey', job.key, '--job', '4711', '--sign-key', 'olga-1.key', '--answers', '1', '--wait', '20s', ...words);
  const started = await job.event('started');
  const { box } = started.identity;

  const ping = signed('--resend', '100ms', 'ping');
  t.equal(ping.status, 0, ping.stderr);
  t.match(ping.stdout, new RegExp(`4711 .* running .* ${box}\\n$`));
  const { by } = await job.event('command', ({ command }) => command === 'ping');
  t.match(by, { key: 'olga-1', signer: 'Olga', user: 'guest' });

  const kill = signed('kill');
  t.equal(kill.status, 1);
  t.match(kill.stdout, /refused: forbidden: key "olga-1" may not give this command/);
  const plain = ctl('--rkey', job.key, '--job', '4711', '--answers', '1', '--wait', '20s', 'kill');
  t.match(plain.stdout, /refused: not_signed: this box takes only signed commands: proc_box ctl --sign-key/);

  const first = signed('--id', 'one', 'suspend');
  const second = signed('--id', 'one', 'suspend');
  t.equal(first.status, 0, first.stdout + first.stderr);
  t.equal(second.stdout, first.stdout, 'the same message id is answered again');
  const others = signed('--wait', '1s', '--box', box, '--host', 'elsewhere', 'ping');
  t.equal(others.status, 2, 'what is signed for another host is ignored');

  rmSync(join(keys, 'olga-1.json'));
  const revoked = signed('ping');
  t.match(revoked.stdout, /box \S+: refused: bad_signature: the signature was not made with a key that this box knows/);
  await job.logged(`${keys}/olga-1.json does not exist`);
  job.child.kill('SIGTERM');
  await job.ended;
  const trail = readFileSync(join(dir, 'audit'), 'utf8').trimEnd().split('\n');
  const tried = trail.map((line) => JSON.parse(line)).filter(({ command }) => command === 'suspend');
  t.match(tried, [{ decision: 'accepted', sender: { user_id: 'guest', key: 'olga-1', signer: 'Olga' } }]);
});

t.test('a key that cannot sign is told before anything is sent', async (t) => {
  const path = join(dir, 'x.key');
  const put = (text: string, mode = 0o600) => {
    if (existsSync(path)) rmSync(path);
    writeFileSync(path, text, { mode });
  };
  const jwk = { kty: 'OKP', crv: 'Ed25519', kid: 'x', x: 'AAAA' };
  const wrong: readonly (readonly [() => void, RegExp])[] = [
    [() => {}, /--sign-key: read x\.key: ENOENT/],
    [() => put('{}', 0o644), /x\.key has mode 0644, so others may access its secret; run: chmod 600/],
    [() => put('secret'), /it is not JSON: expected the file <key id>\.key/],
    [() => put('null'), /it is not an Ed25519 key/],
    [() => put(JSON.stringify(jwk)), /it is a public key/],
    [() => put(JSON.stringify({ ...jwk, kid: undefined, d: 'secret' })), /no key id/],
    [() => put(JSON.stringify({ ...jwk, d: 'secret' })), /key "x" cannot sign/],
  ];
  for (const [prepare, message] of wrong) {
    prepare();
    const { status, stderr } = ctl('--all', '--sign-key', 'x.key', 'ping');
    t.equal(status, 125);
    t.match(stderr, message);
    t.notOk(stderr.includes('secret"'), 'nothing of the key is repeated');
  }
});

t.test('a box that is to check signatures needs keys', async (t) => {
  const { status, stderr } = spawnSync(PROC_BOX, ['--config', 'none', '--control-auth', 'signed', 'true'], {
    encoding: 'utf8',
    env: plainEnvironment(),
  });
  t.equal(status, 125);
  t.match(stderr, /--control-auth: signed needs the folder of the public keys: give it with --control-keys/);
});
