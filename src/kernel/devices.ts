import { existsSync, readFileSync, statSync } from 'node:fs';
import { fsPath } from '../bytes.js';
import { SpecError } from '../errors.js';
import { quote } from '../options/words.js';

const BLOCK_DEVICE = 0o060000;
const FORMAT_MASK = 0o170000;

/**
 * Finds the whole disk behind a name: a block device, a file on one, or `major:minor`. The kernel accepts no partitions.
 * @param sys @default /sys
 * @returns `major:minor`
 * @throws SpecError if there is no such disk
 */
export function findDevice(target: string, sys = '/sys'): string {
  const number = /^\d+:\d+$/.test(target) ? target : numberOf(target);
  const folder = `${sys}/dev/block/${number}`;
  if (!existsSync(folder)) {
    throw new SpecError(
      `${quote(target)} does not belong to a block device (${number}): name the disk, for example "/dev/sda"; \`lsblk\` lists them`,
    );
  }
  // A partition's folder is inside the folder of its disk.
  return existsSync(`${folder}/partition`) ? readFileSync(`${folder}/../dev`, 'latin1').trim() : number;
}

function numberOf(path: string): string {
  try {
    const { mode, rdev, dev } = statSync(fsPath(path));
    return split((mode & FORMAT_MASK) === BLOCK_DEVICE ? rdev : dev);
  } catch (error) {
    throw new SpecError(
      `${quote(path)}: ${(error as NodeJS.ErrnoException).code}; expected a block device, a file on one, or major:minor, for example "/dev/sda"`,
    );
  }
}

/** Splits a device number of stat(2) into the kernel's 12 bits of major and 20 bits of minor number (makedev(3)). */
function split(device: number): string {
  const wide = BigInt(device);
  const major = ((wide >> 8n) & 0xfffn) | ((wide >> 32n) & 0xfffff000n);
  const minor = (wide & 0xffn) | ((wide >> 12n) & 0xffffff00n);
  return `${major}:${minor}`;
}
