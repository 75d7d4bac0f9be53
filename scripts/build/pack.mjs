/**
 * prepack: the npm package has the native part prebuilt, so that it needs neither a compiler nor an install script. Where that part
 * does not fit, install.mjs compiles it.
 */
import { join } from 'node:path';
import { root, run, say } from '../dev/setup.mjs';
import { checkNative } from '../package/needs.mjs';

try {
  run(process.execPath, [join(root, 'scripts/build/build.mjs'), '--quiet']);
  checkNative(root);
} catch (error) {
  say(error.message);
  process.exitCode = 1;
}
