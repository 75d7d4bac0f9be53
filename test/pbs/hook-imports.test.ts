import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { HOOK } from '../fixtures/mom.js';
import { PYTHON, temporaryFolder } from '../fixtures/run.js';

/** Most of the time that a launch hook takes is Python importing modules. */

const DRIVER = join(dirname(fileURLToPath(import.meta.url)), '..', 'fixtures', 'pbs', 'imports.py');
/** What only some launches need: near names, words of users, the end of a job. */
const LATE = ['difflib', 'html', 'shlex', 'signal', 'subprocess'];
const SLOW = [...LATE, 'json', 're'];

const folder = temporaryFolder(t);
const config = join(folder, 'config.json');

function launch(resource: string, given: object) {
  writeFileSync(config, JSON.stringify({ proc_box: process.execPath, job_cgroup: false, ...given }));
  const { stdout, stderr } = spawnSync(PYTHON, ['-I', '-S', DRIVER, HOOK, config, resource], { encoding: 'utf8' });
  t.equal(stderr, '');
  const [program, imported = ''] = stdout.split('\n');
  const slow = imported.split(' ').filter((name) => SLOW.includes(name));
  return { isBoxed: program === process.execPath, slow };
}

t.test('a launch without a box imports nothing that takes time', async (t) => {
  t.strictSame(launch('off', {}), { isBoxed: false, slow: [] });
  t.strictSame(launch('"off"', { policy: 'strict' }), { isBoxed: false, slow: [] });
});

t.test('what a site says of box=off still counts', async (t) => {
  t.equal(launch('off', { allow_off: true }).isBoxed, false);
  // However JSON spells the key.
  writeFileSync(config, `{"proc_box": "${process.execPath}", "allow\\u005foff": false, "job_cgroup": false}`);
  const { stdout } = spawnSync(PYTHON, ['-I', '-S', DRIVER, HOOK, config, 'off'], { encoding: 'utf8' });
  t.match(stdout, new RegExp(`^${process.execPath}\n`));
});

t.test('a launch with a box imports what reads the configuration, and no more', async (t) => {
  for (const given of [{}, { default: ['--memory', '4G'] }, { policy: 'strict' }]) {
    t.strictSame(launch('', given), { isBoxed: true, slow: ['json', 're'] });
  }
});
