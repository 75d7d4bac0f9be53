/**
 * Runs a command in a virtual machine: qemu without hardware support, Debian's kernel, control groups v2 only.
 *
 * Inside, the root file system is this machine's own `/`, or a folder with another Debian, read-only under a tmpfs. The checkout, its
 * build and Node are the same. Every write is lost, and there is no network. A run leaves no files on the host: its disks are unlinked
 * before qemu starts, and output comes through socket pairs. However this process ends, the kernel then sends qemu SIGKILL
 * (PR_SET_PDEATHSIG).
 */
import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findProgram } from '../setup.mjs';
import { cpio } from './cpio.mjs';
import { prepareVm, VmUnavailable } from './kernel.mjs';

export { prepareVm, VmUnavailable };

const guest = join(dirname(fileURLToPath(import.meta.url)), 'guest');
const SYSTEMD = '/lib/systemd/systemd';
const MEMORY_MIB = 2048;
const CPUS = 2;
/** The variables passed on, for the paths and the language of programs. */
const PASSED = ['PATH', 'LANG', 'LC_ALL', 'TZ', 'CI', 'TERM'];
const CONSOLE_KEPT_BYTES = 16_384;
/** How much later than our own timeout timeout(1) kills qemu as a last resort. */
const BACKSTOP_SEC = 30;

/**
 * Runs a command and waits for it.
 * @param {object} options
 * @param {string[]} options.command
 * @param {boolean} [options.systemd] systemd is process 1, and the command is a service with Delegate=yes; otherwise the
 *   command is in a leaf below a group that has all controllers
 * @param {boolean} [options.user] runs the command as an ordinary user, with guest/as-user.sh
 * @param {Record<string, string>} [options.env] in addition to PATH and a few others
 * @param {Record<string, string | Buffer>} [options.files] files for /run/proc_box-vm/files
 * @param {string} [options.cwd] @default this process's
 * @param {string} [options.root] the folder that is the root file system inside @default PROC_BOX_VM_ROOT, or `/`
 * @param {number} [options.timeoutMs] for the whole run @default 300000
 * @param {(chunk: Buffer) => void} [options.onStdout]
 * @param {(chunk: Buffer) => void} [options.onStderr]
 * @param {(chunk: Buffer) => void} [options.onConsole]
 * @returns status (128 + N for a signal), output, times
 * @throws {VmUnavailable} if a virtual machine cannot run here
 * @throws {Error} with the end of the console, if the run took too long or ended without a status
 */
export async function runVm(options) {
  const { systemd = false, timeoutMs = 300_000, root = process.env.PROC_BOX_VM_ROOT ?? '/' } = options;
  const { qemu, kernel, initrd } = prepareVm();
  if (systemd && !existsSync(join(root, SYSTEMD)))
    throw new VmUnavailable(`systemd is not installed: no ${join(root, SYSTEMD)}`);
  for (const tool of ['timeout', 'setpriv', 'bash'])
    if (!findProgram(tool)) throw new VmUnavailable(`${tool} is not installed`);
  const disks = [
    unlinkedFile(Buffer.concat([initrd, cpio(guestFiles(options))])),
    unlinkedFile(Buffer.alloc(0), 256),
    unlinkedFile(Buffer.alloc(0), 256),
  ];
  const began = performance.now();
  const dies = ['setpriv', '--pdeathsig', 'KILL'];
  const limit = ['timeout', '-s', 'KILL', String(Math.ceil(timeoutMs / 1000) + BACKSTOP_SEC)];
  const words = [...dies, ...limit, ...dies, qemu, ...qemuArguments(kernel, systemd, root)];
  const child = spawn(words[0], words.slice(1), {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe', 'pipe', 'pipe', ...disks],
  });
  for (const fd of disks) closeSync(fd);
  return await outcome(child, began, { ...options, timeoutMs });
}

/** The files that init.sh copies to /run/proc_box-vm. */
function guestFiles({ command, systemd = false, user = false, env = {}, files = {}, cwd = process.cwd() }) {
  const own = readdirSync(guest, { recursive: true })
    .sort()
    .map((name) => {
      const path = join(guest, name);
      if (statSync(path).isDirectory()) return { path: join('guest', name) };
      return { path: join('guest', name), mode: name.endsWith('.sh') ? 0o100755 : 0o100644, data: readFileSync(path) };
    });
  const init = own.find(({ path }) => path === 'guest/init.sh');
  return [
    { path: 'guest' },
    { path: 'guest/files' },
    ...own,
    { ...init, path: 'init' },
    { path: 'guest/mode', data: systemd ? 'systemd' : 'plain' },
    { path: 'guest/hostname', data: hostname() },
    { path: 'guest/command', data: script(user ? ['/run/proc_box-vm/as-user.sh', ...command] : command, env, cwd) },
    ...Object.entries(files).map(([name, data]) => ({ path: `guest/files/${name}`, data })),
  ];
}

function script(command, env, cwd) {
  const passed = PASSED.filter((name) => process.env[name] !== undefined).map((name) => [name, process.env[name]]);
  const exports = Object.entries({ HOME: '/root', ...Object.fromEntries(passed), ...env });
  return [
    ...exports.map(([name, value]) => `export ${name}=${quoted(value)}`),
    `cd ${quoted(cwd)} || exit 126`,
    `exec -- ${command.map(quoted).join(' ')}`,
    '',
  ].join('\n');
}

function quoted(word) {
  return `'${String(word).replaceAll("'", "'\\''")}'`;
}

/** The descriptor of a file that has already been unlinked. */
function unlinkedFile(data, sizeMib) {
  const folder = mkdtempSync(join(tmpdir(), 'proc_box-vm-'));
  try {
    const path = join(folder, 'disk');
    writeFileSync(path, data);
    if (sizeMib !== undefined) truncateSync(path, sizeMib * 2 ** 20);
    return openSync(path, 'r+');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Descriptors: 3 stdout, 4 stderr and 5 status of the command, 6 console; 7 initrd, 8 scratch disk, 9 swap. */
function qemuArguments(kernel, systemd, root) {
  // `rep movs` and the calibration of the TSC are slow without hardware support. The other settings also save start-up time.
  const append =
    'console=ttyS0 loglevel=4 panic=-1 reboot=t nokaslr mitigations=off tsc=reliable init_on_alloc=0 psi=1 fstab=no ' +
    'clearcpuid=rep_good,erms,fsrm random.trust_cpu=on';
  const port = (name, fd) => [
    ...['-chardev', `socket,id=${name},fd=${fd}`],
    ...(name === 'console'
      ? ['-serial', 'chardev:console']
      : ['-device', `virtserialport,chardev=${name},name=${name}`]),
  ];
  const disk = (name, fd) => [
    ...['-drive', `file=/proc/self/fd/${fd},format=raw,if=none,id=${name},cache=unsafe`],
    ...['-device', `virtio-blk-pci,drive=${name},serial=${name}`],
  ];
  return [
    ...[
      '-M',
      'q35',
      '-accel',
      'tcg,thread=multi',
      '-cpu',
      'max,la57=off',
      '-smp',
      String(CPUS),
      '-m',
      String(MEMORY_MIB),
    ],
    ...['-nodefaults', '-display', 'none', '-no-reboot', '-kernel', kernel, '-initrd', '/proc/self/fd/7'],
    ...['-append', `${append}${systemd ? ' systemd.show_status=0' : ''}`],
    ...['-fsdev', `local,id=root,path=${root},security_model=none,readonly=on,multidevs=remap`],
    ...['-device', 'virtio-9p-pci,fsdev=root,mount_tag=root', '-device', 'virtio-serial-pci'],
    ...[...port('stdout', 3), ...port('stderr', 4), ...port('status', 5), ...port('console', 6)],
    ...[...disk('scratch', 8), ...disk('swap', 9)],
  ];
}

async function outcome(child, began, { timeoutMs, onStdout, onStderr, onConsole }) {
  let bootMs;
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill('SIGKILL');
  }, timeoutMs);
  const [stdout, stderr] = [collected(child.stdio[3], onStdout), collected(child.stdio[4], onStderr)];
  const status = collected(child.stdio[5], () => {
    bootMs ??= performance.now() - began;
  });
  const consoles = [1, 2, 6].map((fd) => collected(child.stdio[fd], onConsole, CONSOLE_KEPT_BYTES));
  await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve); // all of qemu's descriptors are closed, so it has ended
  });
  clearTimeout(timer);
  const code = /^ended (\d+)$/m.exec(status())?.[1];
  const lastWords = consoles
    .map((text) => text())
    .join('')
    .trim();
  const result = { stdout: stdout(), stderr: stderr(), bootMs, elapsedMs: performance.now() - began };
  if (code !== undefined) return { ...result, status: Number(code) };
  const what = late ? `was still running after ${timeoutMs} ms` : 'ended without a status';
  throw Object.assign(new Error(`the virtual machine ${what}; its console:\n${lastWords}`), result, { late });
}

/** Collects a stream, or the last `keptBytes` of it. */
function collected(stream, tell, keptBytes = Number.POSITIVE_INFINITY) {
  let kept = Buffer.alloc(0);
  stream.on('data', (chunk) => {
    kept = Buffer.concat([kept, chunk]);
    if (kept.length > keptBytes) kept = kept.subarray(kept.length - keptBytes);
    tell?.(chunk);
  });
  stream.on('error', () => {}); // ECONNRESET: qemu was killed before it had read everything
  return () => kept.toString();
}
