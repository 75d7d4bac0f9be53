import t from 'tap';
import { isBelow, parentOf, placeBelow as placeBelowTask } from '../../src/cgroup/below.js';
import { atOnce } from '../fixtures/at-once.js';

const placeBelow = atOnce(placeBelowTask);

import type { Controller, Hierarchies, Place } from '../../src/cgroup/hierarchy.js';

t.test('a path is below itself and what it begins with, by whole names', async (t) => {
  t.ok(isBelow('/a/b', '/a/b'));
  t.ok(isBelow('/a/b/c', '/a/b'));
  t.notOk(isBelow('/a/bc', '/a/b'));
  t.notOk(isBelow('/a', '/a/b'));
  t.equal(parentOf('/a/b/c'), '/a/b');
});

t.test('a box goes below the directories that were given', async (t) => {
  const dir = t.testdir({
    v2: { ours: { 'cgroup.procs': '', inner: { 'cgroup.procs': '' } }, other: { 'cgroup.procs': '' }, plain: {} },
    memory: { ours: { 'cgroup.procs': '' }, other: { 'cgroup.procs': '' } },
  });
  const place = (hierarchy: string): Place => ({ dir: `${dir}/${hierarchy}/ours`, mount: `${dir}/${hierarchy}` });
  const v1 = new Map<Controller, Place>([['memory', place('memory')]]);
  const own: Hierarchies = { v2: place('v2'), v1 };
  const at = (below: readonly string[], scheduled = false) =>
    placeBelow(own, { below: below.map((name) => `${dir}/${name}`), scheduled });

  t.strictSame(at([]), { found: own, v2Below: null }, 'nothing was given');
  t.strictSame(at(['v2/other']), { found: own, v2Below: `${dir}/v2/other` });
  const inV1 = { ...own, v1: new Map([['memory', { dir: `${dir}/memory/other`, mount: `${dir}/memory` }]]) };
  t.strictSame(at(['memory/other']), { found: inV1, v2Below: null });
  t.strictSame(at(['memory/other', 'v2/ours/inner']), { found: inV1, v2Below: `${dir}/v2/ours/inner` });
  t.strictSame(
    at(['memory/other', 'v2/plain', 'nowhere']),
    { found: inV1, v2Below: null },
    'of several, those that fit',
  );
  t.strictSame(at(['v2/ours/inner'], true), { found: own, v2Below: `${dir}/v2/ours/inner` });

  const refusal = (name: string, why: string, scheduled = false) =>
    t.throws(() => at([name], scheduled), { name: 'SpecError', message: `--cgroup ${dir}/${name}: ${why}` }, name);
  const expected = `not a cgroup directory; expected one below ${dir}/v2, for example "${dir}/v2/ours"`;
  for (const name of ['nowhere', 'v2/plain', 'v2/none', 'v2/ours/..', 'v2/ours/../other', 'v22'])
    refusal(name, expected);
  refusal('v2/other', `outside the scheduler's group; expected a directory at or below ${dir}/v2/ours`, true);
  t.strictSame(at(['v2/other', 'memory/other'], true), { found: own, v2Below: null }, 'a job stays in its own groups');
  t.throws(() => placeBelow({ v2: null, v1: new Map() }, { below: ['/x'], scheduled: false }), {
    message: '--cgroup /x: no control groups are mounted here; expected auto or off',
  });
});
