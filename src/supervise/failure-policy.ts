import { splitOption } from '../options/command-line.js';

/** What is said of `--debug` where the options as a whole may be what is wrong. */

interface Said {
  readonly argv: readonly string[];
  /** Every `PBOX_*` entry of the environment. */
  readonly settings: readonly string[];
}

/** Of an error of ours the place is of interest to whoever asks for it. */
export function wantsDebug({ argv, settings }: Said): boolean {
  const end = argv.indexOf('--');
  const options = argv.slice(1, end < 0 ? undefined : end);
  const yes = /^(?:1|t|true)$/i;
  const said = options.map(splitOption).findLast((split) => split?.name === 'debug');
  if (said !== undefined) return said.value === undefined || yes.test(said.value);
  return settings.some((entry) => entry.startsWith('PBOX_DEBUG=') && yes.test(entry.slice('PBOX_DEBUG='.length)));
}
