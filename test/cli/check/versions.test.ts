import t from 'tap';
import { NODE, OPENPBS, RABBITMQ, SLURM, versionRow } from '../../../src/cli/check/versions.js';

t.test('a version that was tested passes, and says what is different on it', async (t) => {
  t.strictSame(versionRow(NODE, '22.23.5', ' at /usr/bin/node'), {
    name: 'Node',
    status: 'PASS',
    evidence: '22.23.5 at /usr/bin/node',
    fix: null,
  });
  t.match(versionRow(SLURM, '22.05.8'), {
    status: 'PASS',
    evidence: /^22\.05\.8; Slurm does not tell jobs when they will end/,
  });
  for (const version of ['24.11.5', '26.05.5']) {
    const { status, evidence } = versionRow(SLURM, version);
    t.equal(status, 'PASS');
    t.match(evidence, `${version}; under cgroup v1, root owns the groups of tasks`);
    t.notMatch(evidence, 'does not tell');
  }
  t.match(versionRow(RABBITMQ, '3.10.8'), { status: 'PASS', evidence: /CC and BCC/ });
  t.match(versionRow(RABBITMQ, '4.0.5'), { status: 'PASS', evidence: '4.0.5', fix: null });
  t.match(versionRow(RABBITMQ, '4.3.6'), {
    status: 'PASS',
    evidence: /^4\.3\.6; rabbitmqadmin is a different program/,
  });
});

t.test('a version that nobody has tested is named, with those that were', async (t) => {
  t.match(versionRow(SLURM, '27.11.1-1'), {
    status: 'WARN',
    evidence: /^27\.11\.1-1: not tested \(tested: 22\.05, 24\.11, 26\.05\); under cgroup v1/,
    fix: /^try what you need with this version, or run Slurm 26\.05; docs\/compatibility\.md/,
  });
  t.match(versionRow(OPENPBS, '2021.1.3'), { status: 'WARN', evidence: '2021.1.3: not tested (tested: 23.06)' });
  t.match(versionRow(NODE, '2.0.0'), { status: 'WARN' }, 'not every version that begins so');
  t.match(versionRow(NODE, '25.1.0'), { status: 'WARN', evidence: '25.1.0: not tested (tested: 20, 22, 24, 26)' });
});
