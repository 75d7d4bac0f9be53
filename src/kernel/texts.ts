/** The texts of files that were read together, by path; null for a file that could not be read. */
export type Texts = ReadonlyMap<string, string | null>;

/** Looks up files of one directory in the given order, without their last newlines. */
export type Reader = (dir: string, ...names: readonly string[]) => readonly (string | null)[];

/** @param texts in the order of `paths` */
export function toTexts(paths: readonly string[], texts: readonly (string | null)[]): Texts {
  return new Map(paths.map((path, index) => [path, texts[index] ?? null]));
}

export function readerOf(texts: Texts): Reader {
  return (dir, ...names) => names.map((name) => texts.get(`${dir}/${name}`)?.trimEnd() ?? null);
}

/** Finds out which files a function reads. */
export function filesReadBy(use: (read: Reader) => unknown): string[] {
  const paths = new Set<string>();
  use((dir, ...names) => {
    for (const name of names) paths.add(`${dir}/${name}`);
    return names.map(() => '0');
  });
  return [...paths];
}
