import type { Keeper } from 'cgroup-utils-native';
import { type FileContent, type Files, systemFiles } from '../options/files.js';
import { OPTIONS } from '../options/table.js';

/** A file is needed that has not been read yet. */
class Unread extends Error {
  constructor(readonly path: string) {
    super(`${path} has not been read yet`);
  }
}

/**
 * Calls `parse` with the files that a box's options name. Its keeper reads them with the user's rights; the agent itself reads
 * only the site's config file. `parse` is called again for each file that it turns out to need.
 */
export async function withNamedFiles<Result>(
  keeper: Keeper,
  uid: number,
  parse: (files: Files) => Result,
): Promise<Result> {
  const known = new Map<string, FileContent | string>();
  const own = systemFiles();
  const files: Files = {
    uid,
    read(path) {
      if (path === OPTIONS.config.default) return own.read(path);
      const file = known.get(path);
      if (file === undefined) throw new Unread(path);
      return file;
    },
  };
  for (;;) {
    try {
      return parse(files);
    } catch (error) {
      if (!(error instanceof Unread)) throw error;
      const { code, bytes, mode, uid: owner } = await keeper.readFile(error.path);
      known.set(error.path, code ?? { text: bytes.toString('utf8').replace(/^\uFEFF/, ''), mode, uid: owner });
    }
  }
}
