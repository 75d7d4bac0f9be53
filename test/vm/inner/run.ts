import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { groupIn, job, kill, PATIENCE_MS, runBox, startBox, until } from './box.js';
import { SETTINGS } from './setting.js';

for (const setting of SETTINGS) {
  describe(setting.name, () => {
    test('exit status and stdout are those of the job', { timeout: PATIENCE_MS }, async (t) => {
      const { box, code, stdout } = await runBox(t, setting, [], job('says.sh', '7'));
      const [group, said] = stdout.trimEnd().split('\n');
      assert.equal(said, 'out');
      assert.equal(code, 7, box.stderr());
      assert.ok(`${groupIn(group!)}/`.startsWith(`${box.group}/`), `${group} is at or below ${box.group}`);
      await box.allGone();
    });

    test('SIGKILL of the wrapper leaves nothing', { timeout: 2 * PATIENCE_MS }, async (t) => {
      const box = startBox(t, setting, [], job('family.sh'));
      await box.says('ready');
      // An exec that is under way has no environment for a moment.
      await until(
        () => box.members().length >= 6,
        () => `wrapper, keeper and four processes of the job: ${box.members()}`,
      );
      kill(box.pid);
      await box.allGone();
    });
  });
}
