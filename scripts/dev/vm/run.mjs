#!/usr/bin/env node
/**
 * Runs a command on a kernel with control groups v2, in a throw-away virtual machine; see machine.mjs.
 *
 *   node scripts/dev/vm/run.mjs [options] -- COMMAND [ARGUMENT...]
 *
 *   --systemd         systemd is process 1, and the command is a service with Delegate=yes
 *   --user            as an ordinary user, with a delegated subtree, or with systemd a lingering user manager
 *   --timeout=SEC     for the whole run, default 300
 *   --env=NAME=VALUE  may be repeated
 *   --console         show the kernel's messages and the times on stderr
 *   --prepare         only install, download and unpack
 *
 * The first run, as root, installs qemu-system-x86 and kmod (85 MB), and downloads Debian's kernel (70 MB) to
 * $PROC_BOX_CACHE, by default ~/.cache/proc_box. The machine has 2 GiB, 2 cores (10 to 35 times slower than the host's), a
 * scratch disk of 256 MiB (PROC_BOX_VM_DISK), as much swap, no network and an empty stdin.
 *
 * Exit status: the command's; 77: a virtual machine cannot run here (the reason is on stderr); 124: the time is up;
 * 125: the virtual machine failed, or the options are wrong.
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
  if (positionals.length === 0)
    throw new Error('no command given; usage: node scripts/dev/vm/run.mjs [options] -- COMMAND');
  const timeoutMs = Number(values.timeout) * 1000;
  if (!(timeoutMs > 0)) throw new Error(`--timeout=${values.timeout}: expected seconds, more than 0`);
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
    say(`vm: started after ${(bootMs / 1000).toFixed(1)} s, ended after ${(elapsedMs / 1000).toFixed(1)} s`);
  return status;
}
