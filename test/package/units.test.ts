import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { SITE_SOCKET } from '../../src/agent/socket.js';
import { temporaryFolder } from '../fixtures/run.js';

/** What scripts/site/agent and scripts/site/collector install. */

const site = join(dirname(fileURLToPath(import.meta.url)), '../../scripts/site');
const UNITS = ['agent/proc_box-agent.service', 'agent/proc_box-agent.socket', 'collector/proc_box-collector.service'];
const read = (name: string) => readFileSync(join(site, name), 'utf8');

/** The directives of systemd 239, that of the oldest hosts, and the few later ones that it ignores with a warning. */
const KNOWN: Readonly<Record<string, readonly string[]>> = {
  Unit: ['Description', 'Requires', 'After', 'Wants', 'StartLimitIntervalSec', 'Documentation'],
  Socket: ['ListenStream', 'SocketMode', 'DirectoryMode', 'Backlog'],
  Install: ['WantedBy'],
  Service: [
    ...['Type', 'NotifyAccess', 'ExecStart', 'User', 'Group', 'Restart', 'RestartSec', 'KillMode', 'TimeoutStopSec'],
    ...['StateDirectory', 'StateDirectoryMode', 'UMask', 'MemoryMax', 'OOMScoreAdjust', 'LimitNOFILE', 'LimitCORE'],
    ...['NoNewPrivileges', 'CapabilityBoundingSet', 'AmbientCapabilities', 'ProtectSystem', 'ProtectHome'],
    ...['PrivateTmp', 'PrivateDevices', 'ProtectControlGroups', 'ProtectKernelModules', 'ProtectKernelTunables'],
    ...['ProtectClock', 'ProtectHostname', 'ProtectKernelLogs', 'RestrictAddressFamilies', 'RestrictNamespaces'],
    ...['EnvironmentFile', 'RuntimeDirectory'],
    ...['RestrictRealtime', 'RestrictSUIDSGID', 'LockPersonality', 'SystemCallArchitectures', 'SystemCallFilter'],
  ],
};

function directives(name: string): { section: string; key: string; value: string }[] {
  let section = '';
  return read(name)
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .flatMap((line) => {
      const header = /^\[(\w+)\]$/.exec(line)?.[1];
      if (header !== undefined) section = header;
      const [, key = '', value = ''] = /^(\w+)=(.*)$/.exec(line) ?? [];
      return header === undefined ? [{ section, key, value }] : [];
    });
}

t.test('the units have directives that systemd knows, and name what is there', async (t) => {
  for (const unit of UNITS) {
    for (const { section, key, value } of directives(unit)) {
      t.ok(KNOWN[section]?.includes(key), `${unit}: [${section}] ${key}=${value}`);
    }
  }
  type Read = (key: string) => string[];
  const of =
    (name: string): Read =>
    (key) =>
      directives(name)
        .filter((one) => one.key === key)
        .map(({ value }) => value);
  const [service, socket, collector] = UNITS.map(of) as [Read, Read, Read];
  t.strictSame(socket('ListenStream'), [SITE_SOCKET]);
  t.strictSame(socket('SocketMode'), ['0666']);
  t.strictSame(service('Type'), ['notify']);
  t.strictSame(service('NotifyAccess'), ['all'], 'the sender is a child of the main process');
  t.strictSame(service('ExecStart'), ['/usr/local/bin/proc_box agent --config /etc/proc_box/agent.yaml']);
  t.strictSame(service('Restart'), ['always']);
  t.strictSame(service('SystemCallFilter'), ['@system-service @pkey'], 'V8 calls pkey_alloc(2)');
  t.notOk(read('agent/proc_box-agent.service').match(/^(?:PrivateUsers|MemoryDenyWriteExecute|RuntimeDirectory)=/m));
  t.strictSame(service('Requires'), ['proc_box-agent.socket']);
  t.strictSame(collector('ExecStart'), [
    '/usr/local/bin/proc_box collector --uri-file /etc/proc_box/collector.uri $COLLECTOR_OPTIONS',
  ]);
  t.strictSame(collector('EnvironmentFile'), ['/etc/proc_box/collector.conf']);
  t.strictSame(collector('StateDirectory'), ['proc_box-collector']);
  t.match(read('collector/collector.conf'), /^COLLECTOR_OPTIONS="--store \/var\/lib\/proc_box-collector /m);
});

t.test('systemd-analyze agrees', async (t) => {
  const has = (program: string) => spawnSync(program, ['--version']).error === undefined;
  if (!has('systemd-analyze')) return t.comment('there is no systemd-analyze here');
  const folder = temporaryFolder(t);
  for (const unit of UNITS) cpSync(join(site, unit), join(folder, basename(unit)));
  for (const name of ['proc_box-agent.service', 'proc_box-collector.service']) {
    const path = join(folder, name);
    const text = readFileSync(path, 'utf8').replace('/usr/local/bin/proc_box', '/bin/true');
    writeFileSync(path, text.replaceAll(/^(User|Group)=.*$/gm, '$1=root'));
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', path], { encoding: 'utf8' });
    t.equal(status, 0, stderr);
    t.notMatch(stderr, /proc_box-.*(?:Unknown|Failed|ignoring)/);
  }
});

t.test('the user, the folder and what needrestart leaves alone fit the units', async (t) => {
  t.match(read('agent/sysusers.d/proc_box.conf'), /^u proc_box - /m);
  t.match(read('agent/tmpfiles.d/proc_box.conf'), new RegExp(`^d ${dirname(SITE_SOCKET)} 0755 root root -$`, 'm'));
  t.match(read('agent/needrestart.d/proc_box.conf'), /qr\(\^proc_box-agent\\\.\)\} = 0;/);
  t.match(read('agent/agent.yaml'), /^uri-file: \/etc\/proc_box\/agent\.uri$/m);
  const docs = readFileSync(join(site, '../../docs/agent.md'), 'utf8');
  for (const name of ['proc_box-agent.service', 'proc_box-agent.socket', 'sysusers.d', 'tmpfiles.d', 'agent.yaml']) {
    t.ok(existsSync(join(site, 'agent', name)) && docs.includes(name), `docs/agent.md names ${name}`);
  }
});
