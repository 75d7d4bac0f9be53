import { existsSync, statSync } from 'node:fs';
import { release } from 'node:os';
import { hostname, userName } from 'cgroup-utils-native';
import { isBrokerError } from '../../errors.js';
import { duration } from '../../options/amounts.js';
import type { BoxSpec } from '../../options/spec.js';
import { jobDeadline } from '../../scheduler/deadline.js';
import { type Environment, identifyJob, schedulerMarks } from '../../scheduler/identity.js';
import { tryBroker } from '../ctl/connect.js';
import { atLeast, fail, pass, type Row, warn } from './row.js';

const NODE_MAJOR = 20;

/** Checks the parts of the installation. @param root folder of the package */
export function programRows(root: string): Row[] {
  const node = `${process.version} at ${process.execPath}`;
  const addon = `${root}/native/build/Release/cgroup_utils_native.node`;
  const executable = `${root}/bin/proc_box`;
  return [
    atLeast(process.version.slice(1), NODE_MAJOR, 0)
      ? pass('Node', node)
      : fail('Node', node, `Node ${NODE_MAJOR} or newer, then npm rebuild proc_box`),
    atLeast(release(), 4, 18)
      ? pass('kernel', `Linux ${release()}`)
      : warn('kernel', `Linux ${release()}: not tested`, 'Linux 4.18 or newer'),
    // An addon must have been loaded, or this code would not run.
    existsSync(addon) ? pass('addon', addon) : warn('addon', `${addon}: ENOENT`, 'npm rebuild proc_box'),
    existsSync(executable)
      ? pass('keeper', `${executable}, ${Math.round(statSync(executable).size / 1024)} KiB`)
      : fail('keeper', `${executable}: ENOENT`, 'npm rebuild proc_box'),
  ];
}

/** The job that a box started here would belong to, and when its scheduler ends it. */
export function schedulerRow(environment: Environment): Row {
  const { scheduler, job, step, task, cluster } = identifyJob(environment, {
    user: userName(),
    host: hostname(),
    box: 'none',
  });
  if (scheduler === 'none')
    return pass('scheduler', `none: no scheduler has set its variable (${schedulerMarks().join(', ')})`);
  const { remainingMs } = jobDeadline(environment, Date.now());
  const parts = [
    `job ${job}`,
    ...(step === null ? [] : [`step ${step}`]),
    ...(task === null ? [] : [`task ${task}`]),
    ...(cluster === null ? [] : [`cluster ${cluster}`]),
  ];
  const end =
    remainingMs === null
      ? 'its end is unknown, so there is no wall clock limit by default'
      : `ends in ${duration(Math.round(remainingMs / 1000) * 1000)}`;
  return pass('scheduler', `${scheduler}, ${parts.join(', ')}; ${end}`);
}

/** Tries the broker. Never rejects. */
export async function brokerRow({ uris }: BoxSpec, socketOptions: Readonly<Record<string, unknown>>): Promise<Row> {
  if (uris.length === 0) return pass('broker', 'not used (--uri none)');
  try {
    return pass('broker', await tryBroker({ uris, socketOptions }));
  } catch (error) {
    const text = isBrokerError(error) ? error.message : String(error);
    return warn(
      'broker',
      text,
      'give its URI with --uri-file, PBOX_URI or uri: in /etc/proc_box/config.yaml; jobs also run without a broker',
    );
  }
}
