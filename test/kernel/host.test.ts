import t from 'tap';
import { hostFacts } from '../../src/kernel/host.js';
import { type Roots, SYSTEM_ROOTS } from '../../src/kernel/roots.js';

const EMPTY = { proc: {}, etc: {}, sys: {}, run: {} };

/** A system made of a few files, in a directory of the test. */
function roots(dir: string): Roots {
  return { proc: `${dir}/proc`, etc: `${dir}/etc`, sys: `${dir}/sys`, run: `${dir}/run` };
}

t.test('platform, family and version are those that gopsutil gave', (t) => {
  const cases: readonly (readonly [string, object, string, string, string])[] = [
    [
      'Debian',
      { 'os-release': 'ID=debian\nVERSION_ID="12"\n', debian_version: '12.11\n' },
      'debian',
      'debian',
      '12.11',
    ],
    [
      'Ubuntu',
      { 'os-release': 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\n', debian_version: 'trixie/sid\n' },
      'ubuntu',
      'debian',
      '24.04',
    ],
    ['RHEL', { 'os-release': 'ID="rhel"\nID_LIKE="fedora"\nVERSION_ID="8.10"\n' }, 'redhat', 'rhel', '8.10'],
    ['Rocky', { 'os-release': 'ID="rocky"\nVERSION_ID="9.4"\n' }, 'rocky', 'rhel', '9.4'],
    [
      'CentOS',
      { 'os-release': 'ID="centos"\nVERSION_ID="7"\n', 'centos-release': 'CentOS Linux release 7.9.2009 (Core)\n' },
      'centos',
      'rhel',
      '7.9.2009',
    ],
    [
      'a derivative',
      { 'os-release': "ID=neon\nID_LIKE='ubuntu debian'\nVERSION_ID='22.04'\n" },
      'neon',
      'debian',
      '22.04',
    ],
    ['nothing known', {}, '', '', ''],
  ];
  for (const [name, etc, platform, family, version] of cases) {
    t.test(name, (t) => {
      const facts = hostFacts('node1', roots(t.testdir({ ...EMPTY, etc: etc as Record<string, string> })));
      t.match(facts, { hostname: 'node1', os: 'linux', platform, platform_family: family, platform_version: version });
      t.end();
    });
  }
  t.end();
});

t.test('boot time is now less the uptime, and 0 where that is not known', (t) => {
  const nowMs = 1_795_452_162_333;
  t.equal(
    hostFacts('n', roots(t.testdir({ ...EMPTY, proc: { uptime: '3864.03 7000.00\n' } })), nowMs).boot_time,
    1_795_448_298,
  );
  t.equal(hostFacts('n', roots(t.testdir(EMPTY)), nowMs).boot_time, 0);
  t.end();
});

t.test('the facts of this host are found', (t) => {
  const facts = hostFacts('n', SYSTEM_ROOTS);
  t.match(facts, { platform: /./, platform_version: /./ });
  t.ok(facts.boot_time > 1e9 && facts.boot_time <= Date.now() / 1000);
  t.end();
});
