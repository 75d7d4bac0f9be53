import { existsSync, readFileSync, statSync } from 'node:fs';
import { release } from 'node:os';
import { Script } from 'node:vm';
import { hostname, userName } from 'cgroup-utils-native';
import { tryBroker } from '../../amqp/tool-connection.js';
import { isBrokerError } from '../../errors.js';
import { duration } from '../../options/amounts.js';
import type { BoxSpec } from '../../options/spec.js';
import { jobDeadline } from '../../scheduler/deadline.js';
import { type Environment, identifyJob, schedulerMarks } from '../../scheduler/identity.js';
import { rebuild } from './remedies.js';
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
      : fail('Node', node, `Node ${NODE_MAJOR} or newer, then ${rebuild(root, 'node')}`),
    atLeast(release(), 4, 18)
      ? pass('kernel', `Linux ${release()}`)
      : warn('kernel', `Linux ${release()}: not tested`, 'Linux 4.18 or newer'),
    // An addon must have been loaded, or this code would not run.
    existsSync(addon) ? pass('addon', addon) : warn('addon', `${addon}: ENOENT`, rebuild(root)),
    existsSync(executable)
      ? pass('keeper', `${executable}, ${Math.round(statSync(executable).size / 1024)} KiB`)
      : fail('keeper', `${executable}: ENOENT`, rebuild(root)),
    cacheRow(root),
  ];
}

/**
 * Whether V8 takes the compiled code that launches load. It refuses what another Node, or other flags, have made.
 * @param root folder of the package
 */
export function cacheRow(root: string): Row {
  const filename = `${root}/dist/main.cjs`;
  const path = `${filename}.cache`;
  const stale = (why: string) =>
    warn(
      'code cache',
      `${path}: ${why}, so each launch takes about 20 % longer`,
      `${process.execPath} ${root}/scripts/build/code-cache.mjs`,
    );
  try {
    // This process has loaded the bundle already, and V8 takes a script of the same name from memory.
    const name = `${filename}#${process.hrtime.bigint()}`;
    const script = new Script(readFileSync(filename, 'latin1'), { filename: name, cachedData: readFileSync(path) });
    return script.cachedDataRejected === true
      ? stale(`made by another Node than ${process.version}`)
      : pass('code cache', path);
  } catch (error) {
    return stale((error as NodeJS.ErrnoException).code ?? String(error));
  }
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
