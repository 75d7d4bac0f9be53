import t from 'tap';
import { killWaitMs } from '../../src/scheduler/slurm-conf.js';

const USUAL = '/etc/slurm/slurm.conf';

t.test('the time from TERM to KILL is what slurm.conf says', async (t) => {
  const cases: [string, Record<string, string>, Record<string, string>, number][] = [
    ['no file', {}, {}, 30_000],
    ['the usual file', { [USUAL]: 'ClusterName=x\nKillWait=60\n' }, {}, 60_000],
    ['any case, with spaces and a comment', { [USUAL]: '  killwait = 7 # short\n' }, {}, 7000],
    ['the last one', { [USUAL]: 'KillWait=7\nKillWait=8\n' }, {}, 8000],
    ['a comment', { [USUAL]: '#KillWait=7\n' }, {}, 30_000],
    ['junk', { [USUAL]: 'KillWait=soon\nInclude\n' }, {}, 30_000],
    ['the named file', { '/c': 'KillWait=5', [USUAL]: 'KillWait=60' }, { SLURM_CONF: '/c' }, 5000],
    ['a named file that is not there', { [USUAL]: 'KillWait=60' }, { SLURM_CONF: '/c' }, 60_000],
    [
      'an included file',
      { '/a/c': 'KillWait=1\nInclude more.conf\n', '/a/more.conf': 'KillWait=9' },
      { SLURM_CONF: '/a/c' },
      9000,
    ],
    ['a file that includes itself', { '/c': 'Include /c\nKillWait=4' }, { SLURM_CONF: '/c' }, 4000],
  ];
  for (const [name, files, environment, expected] of cases) {
    t.equal(
      killWaitMs(environment, (path) => files[path] ?? null),
      expected,
      name,
    );
  }
});
