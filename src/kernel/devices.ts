import { SpecError } from '../errors.js';
import { quote } from '../options/words.js';
import { carryOut, type Task } from './task.js';

/**
 * Finds the whole disk behind a name: a block device, a file on one, or `major:minor`. The kernel accepts no partitions.
 * @returns `major:minor`
 * @throws SpecError if there is no such disk
 */
export function* findDevice(target: string): Task<string> {
  const { error, text } = yield* carryOut({ op: 'disk', path: target });
  if (error === null) return text;
  if (error === 'ENXIO') {
    throw new SpecError(
      `${quote(target)} does not belong to a block device: name the disk, for example "/dev/sda"; \`lsblk\` lists them`,
    );
  }
  throw new SpecError(
    `${quote(target)}: ${error}; expected a block device, a file on one, or major:minor, for example "/dev/sda"`,
  );
}
