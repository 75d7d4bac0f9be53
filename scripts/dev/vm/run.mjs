#!/usr/bin/env node
/**
 * Runs a command on a kernel with control groups v2, in a virtual machine that is gone afterwards; see machine.mjs.
 *
 *   node scripts/dev/vm/run.mjs [options] -- COMMAND [ARGUMENT...]
 *
 *   --systemd         systemd is process 1, the command a service with Delegate=yes
 *   --user            as an ordinary user; with a delegated subtree, or with systemd a user manager that lingers
 *   --timeout=SEC     of everything, 300
 *   --env=NAME=VALUE  may be repeated
 *   --console         what the kernel says, on stderr; also how long the start took
 *   --prepare         only install, download and unpack
 *
 * Needs as root once: apt-get install qemu-system-x86 kmod (85 MB), which it does itself, and Debian's kernel (70 MB),
 * kept in $PROC_BOX_CACHE, by default ~/.cache/proc_box. Inside: 2 GiB, 2 cores (10 to 35 times slower than outside), a
 * scratch disk of 256 MiB (PROC_BOX_VM_DISK), as much swap, no network, stdin empty.
 *
 * Exit status: the command's; 77 no virtual machine can be had here (the reason is on stderr); 124 not done in time;
 * 125 the virtual machine failed, or the options are wrong.
 */
import { parseArgs } from 'node:util';
import { say } from '../setup.mjs';
import { prepareVm, runVm, VmUnavailable } from './machine.mjs';

const STATUS_UNAVAILABLE = 77;
const STATUS_LATE = 124;
const STATUS_FAILED = 125;

try {
  process.exitCode = await main();
} catch (error) {
  say(`vm: ${error.message}`);
  process.exitCode =
    error instanceof VmUnavailable ? STATUS_UNAVAILABLE : error.late === true ? STATUS_LATE : STATUS_FAILED;
}

async function main() {
  const flag = { type: 'boolean', default: false };
  const { values, positionals } = parseArgs({
    options: {
      systemd: flag,
      user: flag,
      console: flag,
      prepare: flag,
      timeout: { type: 'string', default: '300' },
      env: { type: 'string', multiple: true, default: [] },
    },
    allowPositionals: true,
  });
  if (values.prepare) return prepareVm() && 0;
  if (positionals.length === 0) throw new Error('which command? node scripts/dev/vm/run.mjs [options] -- COMMAND');
  const timeoutMs = Number(values.timeout) * 1000;
  if (!(timeoutMs > 0)) throw new Error(`--timeout=${values.timeout}: seconds, more than 0`);
  const { status, bootMs, elapsedMs } = await runVm({
    command: positionals,
    systemd: values.systemd,
    user: values.user,
    env: Object.fromEntries(values.env.map((entry) => /^([^=]+)=(.*)$/s.exec(entry)?.slice(1) ?? [entry, ''])),
    timeoutMs,
    onStdout: (chunk) => process.stdout.write(chunk),
    onStderr: (chunk) => process.stderr.write(chunk),
    ...(values.console && { onConsole: (chunk) => process.stderr.write(chunk) }),
  });
  if (values.console)
    say(`vm: started after ${(bootMs / 1000).toFixed(1)} s, gone after ${(elapsedMs / 1000).toFixed(1)} s`);
  return status;
}
