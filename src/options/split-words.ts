/**
 * Splits argv into the options, without the `--` that ends them, and the command.
 * @param index of the command's first word, as the front end has read it
 */
export function splitWords(
  argv: readonly string[],
  index: number,
): { readonly words: readonly string[]; readonly command: readonly string[] } {
  const end = index > 1 && argv[index - 1] === '--' ? index - 1 : index;
  return { words: argv.slice(1, end), command: argv.slice(index) };
}
