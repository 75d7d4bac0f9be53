/** Provides the files that a virtual machine boots: Debian's kernel, uncompressed, and an initramfs with busybox and drivers. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { cacheFolder, ensureDebian, findProgram, say } from '../setup.mjs';
import { cpio } from './cpio.mjs';

/** A virtual machine cannot run here. The message says why, and what would help. */
export class VmUnavailable extends Error {
  name = 'VmUnavailable';
}

/** Increase this when the content of the cache changes. The kernel stays the same while the folder exists. */
const FORMAT = 1;
const META_PACKAGE = 'linux-image-amd64';
/** ext4 and autofs4 (systemd) are for programs inside the machine; the others are needed to boot it. */
const MODULES = ['virtio_pci', 'virtio_console', 'virtio_blk', 'overlay', '9p', '9pnet_virtio', 'ext4', 'autofs4'];
const MODULE_FOLDERS = [
  'fs',
  'net/9p',
  'lib',
  'crypto',
  'arch/x86/crypto',
  'drivers/virtio',
  'drivers/block',
  'drivers/char',
];
const STALE_MS = 3_600_000;

/**
 * Installs qemu if possible, and downloads and unpacks the kernel unless the cache has it.
 * @returns {{ qemu: string, kernel: string, initrd: Buffer, release: string }}
 * @throws {VmUnavailable}
 */
export function prepareVm() {
  if (process.arch !== 'x64') throw new VmUnavailable(`virtual machines need x86-64, and this is ${process.arch}`);
  const qemu = installed('qemu-system-x86_64', 'qemu-system-x86');
  const folder = join(cacheFolder(), `vm-${FORMAT}`);
  if (!existsSync(folder)) fill(folder);
  return {
    qemu,
    kernel: join(folder, 'vmlinux'),
    initrd: readFileSync(join(folder, 'initrd')),
    release: readFileSync(join(folder, 'release'), 'utf8'),
  };
}

/** The path of a program. Installs its Debian package if it is missing. */
function installed(program, debian = program) {
  try {
    if (!findProgram(program)) ensureDebian([debian]);
  } catch (error) {
    throw new VmUnavailable(error.message, { cause: error });
  }
  const path = findProgram(program);
  if (path === undefined) throw new VmUnavailable(`Debian's ${debian} has no ${program}`);
  return path;
}

/** Makes the folder in one step, so that concurrent and killed runs do no harm. */
function fill(folder) {
  installed('kmod');
  for (const tool of ['dpkg-deb', 'apt-get', 'apt-cache', 'tar'])
    if (!findProgram(tool)) throw new VmUnavailable(`${tool} is not installed`);
  const parent = join(folder, '..');
  mkdirSync(parent, { recursive: true, mode: 0o700 });
  removeStale(parent);
  const work = mkdtempSync(join(parent, 'vm-new-'));
  try {
    const release = unpack(work);
    const made = join(work, 'made');
    mkdirSync(made);
    writeFileSync(join(made, 'vmlinux'), uncompressed(readFileSync(join(work, 'boot', `vmlinuz-${release}`))));
    writeFileSync(join(made, 'initrd'), firstFiles(work, release));
    writeFileSync(join(made, 'release'), release);
    chmodSync(made, 0o755);
    renameSync(made, folder);
  } catch (error) {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error; // another run was faster
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function removeStale(parent) {
  for (const name of readdirSync(parent).filter((name) => name.startsWith('vm-new-'))) {
    const path = join(parent, name);
    if (Date.now() - statSync(path).mtimeMs > STALE_MS) rmSync(path, { recursive: true, force: true });
  }
}

/** Downloads the packages and unpacks the files needed. @returns the kernel's release */
function unpack(work) {
  if (kernelRelease() === undefined) output('apt-get', ['update', '-q']);
  const release = kernelRelease();
  if (release === undefined) throw new VmUnavailable(`apt finds no kernel for ${META_PACKAGE}: this is not Debian`);
  say(`Downloading Debian's kernel ${release} for virtual machines ...`);
  const packages = [`linux-image-${release}`, 'busybox-static'];
  const download = () =>
    spawnSync('apt-get', ['download', '-q', '-o', 'APT::Sandbox::User=root', ...packages], {
      cwd: work,
      stdio: 'ignore',
    });
  if (download().status !== 0) {
    output('apt-get', ['update', '-q']);
    if (download().status !== 0) throw new VmUnavailable(`apt-get download ${packages.join(' ')} failed`);
  }
  for (const file of readdirSync(work).filter((name) => name.endsWith('.deb'))) unpackPackage(join(work, file), work);
  if (!existsSync(join(work, 'lib'))) renameSync(join(work, 'usr', 'lib'), join(work, 'lib')); // trixie and later
  return release;
}

function kernelRelease() {
  const { stdout } = spawnSync('apt-cache', ['depends', META_PACKAGE], { encoding: 'utf8' });
  return /Depends: linux-image-(\d\S+)/.exec(stdout ?? '')?.[1];
}

function unpackPackage(file, work) {
  const archive = `${file}.tar`;
  output('sh', ['-c', 'dpkg-deb --fsys-tarfile "$1" > "$2"', 'sh', file, archive]);
  const wanted = ['*/vmlinuz-*', '*/bin/busybox', '*/modules.builtin*', '*/modules.order'];
  wanted.push(...MODULE_FOLDERS.map((folder) => `*/kernel/${folder}/*`));
  // tar fails if a pattern matches nothing. A file that is really missing shows in the next step.
  spawnSync('tar', ['-x', '-f', archive, '-C', work, '--wildcards', ...wanted], { stdio: 'ignore' });
  rmSync(archive);
}

/** The initramfs: busybox, the drivers, and the order in which to load them. */
function firstFiles(work, release) {
  output('depmod', ['-b', work, release]);
  const show = ['-d', work, '-S', release, '--show-depends', '-a', ...MODULES];
  const paths = [...output('modprobe', show).matchAll(/^insmod (\S+)/gm)].map(([, path]) => path);
  const modules = [...new Set(paths)].map((path) => ({
    path: `modules/${basename(path).replace(/\.[xg]z$|\.zst$/, '')}`,
    data: decompressed(readFileSync(path)),
  }));
  const busybox = ['bin/busybox', 'usr/bin/busybox'].map((path) => join(work, path)).find((path) => existsSync(path));
  if (busybox === undefined) throw new VmUnavailable('the package busybox-static has no busybox');
  const order = modules.map(({ path }) => `/${path}\n`).join('');
  return cpio([
    ...['bin', 'modules'].map((path) => ({ path })),
    { path: 'bin/busybox', mode: 0o100755, data: readFileSync(busybox) },
    ...modules,
    { path: 'modules/order', data: order },
  ]);
}

/**
 * The ELF file inside a bzImage (Documentation/arch/x86/boot.rst). qemu starts it directly (PVH), which saves unpacking it
 * without hardware support. If its compression is unknown, returns the bzImage itself.
 */
function uncompressed(bzImage) {
  const setup = ((bzImage[0x1f1] || 4) + 1) * 512;
  const start = setup + bzImage.readUInt32LE(0x248);
  const payload = bzImage.subarray(start, start + bzImage.readUInt32LE(0x24c) - 4); // the last four: its length
  const elf = decompressed(payload);
  return elf.subarray(0, 4).toString('latin1') === '\x7fELF' ? elf : bzImage;
}

const COMPRESSIONS = [
  { magic: 'fd377a585a00', command: ['xz', '-dc', '--single-stream'] },
  { magic: '28b52ffd', command: ['zstd', '-dcq'] },
  { magic: '02214c18', command: ['lz4', '-dcq'] },
];

/** Returns the data unchanged if it is not compressed or if the program to decompress it is missing. */
function decompressed(data) {
  const head = data.subarray(0, 6).toString('hex');
  const command = COMPRESSIONS.find(({ magic }) => head.startsWith(magic))?.command;
  if (command === undefined || !findProgram(command[0])) return data;
  const { stdout } = spawnSync(command[0], command.slice(1), { input: data, maxBuffer: 2 ** 29 });
  return stdout?.length > 0 ? stdout : data;
}

function output(program, args) {
  const { error, status, stdout, stderr } = spawnSync(findProgram(program) ?? program, args, { encoding: 'utf8' });
  if (error || status !== 0)
    throw new VmUnavailable(`${program} ${args.join(' ')}: ${error?.message ?? stderr.trim()}`);
  return stdout;
}
