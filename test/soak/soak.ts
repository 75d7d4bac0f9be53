/** Each file here has a short form, in `npm test`, and a long one, in `npm run soak`. */
export const LONG = process.env['PROC_BOX_SOAK'] === '1';

/** One figure of the long form; scripts/dev/soak.mjs shows them. */
export function report(text: string): void {
  process.stderr.write(`${text}\n`);
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(2)} MiB`;
}
