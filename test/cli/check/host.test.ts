import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Script } from 'node:vm';
import t from 'tap';
import { brokerRows, cacheRow, programRows, schedulerRow } from '../../../src/cli/check/host.js';
import type { Row } from '../../../src/cli/check/row.js';
import type { BoxSpec } from '../../../src/options/spec.js';

t.test('whose job a box would be in, and when that ends', async (t) => {
  t.match(schedulerRow({}), {
    status: 'PASS',
    evidence: /^none: no scheduler has set its variable \(SLURM_JOB_ID, PBS_JOBID, /,
  });
  t.match(schedulerRow({ SLURM_JOB_ID: '12', SLURM_STEP_ID: '0', SLURM_PROCID: '3', SLURM_CLUSTER_NAME: 'c' }), {
    name: 'scheduler',
    evidence:
      'slurm, job 12, step 0, task 3, cluster c; its end is unknown, so there is no wall clock limit by default',
  });
  t.match(schedulerRow({ PBS_JOBID: '7.server', PBS_WALLTIME: '3600' }), {
    evidence: 'pbs, job 7, cluster server; ends in 1 h',
  });
});

t.test('a code cache that this Node cannot use is named, with what renews it', (t) => {
  const root = t.testdir({ dist: { 'main.cjs': 'exports.a = () => 1;' } });
  const filename = join(root, 'dist', 'main.cjs');
  const fix = `${process.execPath} ${root}/scripts/build/code-cache.mjs`;
  t.match(cacheRow(root), { status: 'WARN', evidence: /main\.cjs\.cache: ENOENT, so each launch takes/, fix });
  const cache = new Script(readFileSync(filename, 'latin1'), { filename }).createCachedData();
  writeFileSync(`${filename}.cache`, cache);
  t.match(cacheRow(root), { status: 'PASS', evidence: `${filename}.cache` });
  // V8's version and flags are in the first bytes.
  writeFileSync(
    `${filename}.cache`,
    Buffer.concat([Buffer.from(cache.subarray(0, 4)), Buffer.alloc(12, 7), cache.subarray(16)]),
  );
  t.match(cacheRow(root), { status: 'WARN', evidence: `made by another Node than ${process.version}`, fix });
  t.end();
});

t.test('what is missing of an installation is built by a command with its whole path', (t) => {
  const root = t.testdir({});
  const fix = `${process.execPath} ${root}/scripts/build/install.mjs`;
  t.match(
    programRows(root).filter(({ name }) => name === 'addon' || name === 'keeper'),
    [{ fix }, { fix }],
  );
  t.end();
});

t.test('without a broker there is nothing to try, and one that is not there is a WARN', async (t) => {
  const row = async (uris: readonly string[]) => {
    const [first, ...others] = await brokerRows({ uris } as BoxSpec, {});
    t.strictSame(others, []);
    return first as Row;
  };
  t.match(await row([]), { status: 'PASS', evidence: 'not used (--uri none)' });
  const { status, evidence, fix } = await row(['amqp://u:s3cret@127.0.0.1:1/v']);
  t.equal(status, 'WARN');
  t.match(evidence, /127\.0\.0\.1:1.*connection refused/);
  t.notMatch(evidence, /s3cret/);
  t.match(
    fix,
    /^give its URI with --uri-file, PBOX_URI or uri: in \/etc\/proc_box\/config\.yaml; jobs also run without a broker$/,
  );
});
