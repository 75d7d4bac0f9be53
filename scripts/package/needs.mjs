/** What the prebuilt parts need of a host: read from their ELF files with objdump, and held below bounds. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** The oldest glibc that the packages promise to run on: RHEL 8. Node's own builds need the same. */
export const GLIBC = '2.28';
/** The libstdc++ of GCC 8, as RHEL 8 has it. Node itself needs libstdc++ and libgcc. */
const GLIBCXX = '3.4.25';
const CXXABI = '1.3.11';
const LIBRARIES = /^(?:lib(?:c|m|pthread|dl|stdc\+\+|gcc_s)\.so\.\d+|ld-linux.*\.so\.\d+)$/;

/**
 * @param {string} file an ELF file
 * @returns {{ newest: (library: string) => string | undefined, libraries: string[], isStatic: boolean }} `newest('GLIBC')` is the
 *   newest version of glibc that it names
 * @throws Error if objdump cannot read it
 */
export function needsOf(file) {
  const stdout = objdump('-p', file);
  const newest = (library) => {
    const found = [...stdout.matchAll(new RegExp(`\\b${library}_(\\d+(?:\\.\\d+)+)\\b`, 'g'))].map(
      ([, version]) => version,
    );
    return found.sort(byVersion).at(-1);
  };
  const libraries = [...stdout.matchAll(/^\s*NEEDED\s+(\S+)$/gm)].map(([, name]) => name);
  return {
    newest,
    libraries,
    isStatic: libraries.length === 0 && !/^\s*INTERP\b/m.test(stdout),
  };
}

function objdump(what, file) {
  const { status, stdout, stderr, error } = spawnSync('objdump', [what, file], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  });
  if (error || status !== 0) throw new Error(`objdump ${file}: ${error?.message ?? stderr.trim()}; install binutils`);
  return stdout;
}

/**
 * @param {string} root of the checkout
 * @returns {string} the oldest glibc that the native parts run on
 * @throws Error if they would not run on the hosts that the packages are for
 */
export function checkNative(root) {
  const executable = join(root, 'bin/proc_box');
  if (!needsOf(executable).isStatic)
    throw new Error(
      `${executable} is not static, so it would follow the job's libraries: install libc.a (Debian: libc6-dev)`,
    );
  const addon = join(root, 'native/build/Release/cgroup_utils_native.node');
  const { newest, libraries } = needsOf(addon);
  const foreign = libraries.filter((name) => !LIBRARIES.test(name));
  if (foreign.length > 0) throw new Error(`${addon} needs ${foreign.join(', ')}, which not every host has`);
  for (const [library, bound] of Object.entries({ GLIBC, GLIBCXX, CXXABI })) {
    const needed = newest(library) ?? '0';
    if (byVersion(needed, bound) > 0)
      throw new Error(`${addon} needs ${library}_${needed}, newer than ${bound}: see native/src/addon/old_glibc.h`);
  }
  return newest('GLIBC') ?? GLIBC;
}

export function byVersion(a, b) {
  const [x, y] = [a, b].map((text) => text.split('.').map(Number));
  for (let i = 0; i < Math.max(x.length, y.length); i++) {
    const difference = (x[i] ?? 0) - (y[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
