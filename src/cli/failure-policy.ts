/** What is said of `--failure`, as far as options that may be what is wrong can be understood. */
export function failsOpen(options: readonly string[], settings: readonly string[]): boolean {
  const said = /--?failure[= ](\w+)/.exec(options.join(' '))?.[1];
  return said === undefined ? settings.includes('PBOX_FAILURE=open') : said === 'open';
}
