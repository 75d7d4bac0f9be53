import t from 'tap';
import { signalWaitMs } from '../../src/scheduler/signalling.js';

const slurm = { SLURM_JOB_ID: '7', SLURM_CONF: '/etc/slurm/slurm.conf' };
const conf = (text: string | null) => (path: string) => {
  t.equal(path, '/etc/slurm/slurm.conf');
  return text;
};
const none = () => t.fail('nothing is read') as never;

t.test('nobody waits where no scheduler sends signals', async (t) => {
  t.equal(signalWaitMs({}, none), 0);
});

t.test('under Slurm the proctrack decides, where its configuration can be read', async (t) => {
  t.equal(signalWaitMs(slurm, conf('ClusterName=c\nProctrackType=proctrack/cgroup\n')), 0);
  t.equal(signalWaitMs(slurm, conf('ProctrackType = proctrack/pgid # here\n')), 0);
  t.ok(signalWaitMs(slurm, conf('ProctrackType=proctrack/linuxproc\n')) > 0);
  t.ok(signalWaitMs(slurm, conf('#ProctrackType=proctrack/cgroup\nInclude more.conf\n')) > 0, 'it may be elsewhere');
  t.ok(signalWaitMs(slurm, conf(null)) > 0);
  t.ok(signalWaitMs({ SLURM_JOB_ID: '7' }, none) > 0);
});

t.test('under PBS every signal that comes alone was sent by hand, and can wait', async (t) => {
  t.ok(signalWaitMs({ PBS_JOBID: '7.srv' }, none) > 0);
});
