/** What is said of `--failure` and `--debug` where the options as a whole may be what is wrong. */

interface Said {
  readonly argv: readonly string[];
  /** Every `PBOX_*` entry of the environment. */
  readonly settings: readonly string[];
}

/** The last one of the command line counts, then the variable. */
export function failsOpen(options: readonly string[], settings: readonly string[]): boolean {
  let said = settings.find((entry) => entry.startsWith('PBOX_FAILURE='))?.slice('PBOX_FAILURE='.length);
  for (const [index, word] of options.entries()) {
    const [named, value = options[index + 1]] = /^--?failure(?:=([\s\S]*))?$/.exec(word) ?? [];
    if (named !== undefined) said = value;
  }
  return said === 'open';
}

/** Of an error of ours the place is of interest to whoever asks for it. */
export function wantsDebug({ argv, settings }: Said): boolean {
  const end = argv.indexOf('--');
  const options = argv.slice(1, end < 0 ? undefined : end);
  const yes = /^(?:1|t|true)$/i;
  const said = options.findLast((word) => /^--?debug(?:=|$)/.test(word));
  if (said !== undefined) return !said.includes('=') || yes.test(said.slice(said.indexOf('=') + 1));
  return settings.some((entry) => entry.startsWith('PBOX_DEBUG=') && yes.test(entry.slice('PBOX_DEBUG='.length)));
}
