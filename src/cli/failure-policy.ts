/**
 * What is said of `--failure`, as far as options that may be what is wrong can be understood: of several the last, as ever.
 * native/src reads it in the same way.
 */
export function failsOpen(options: readonly string[], settings: readonly string[]): boolean {
  const at = options.findLastIndex((word) => /^--?failure(?:=|$)/.test(word));
  const [, value = options[at + 1]] = options[at]?.split('=', 2) ?? [];
  return at < 0 ? settings.includes('PBOX_FAILURE=open') : value === 'open';
}
