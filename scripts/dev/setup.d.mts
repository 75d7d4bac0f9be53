/** What TypeScript uses of setup.mjs. */
export const root: string;
/** The first executable file of this name in PATH or the system's sbin folders. An absolute path is kept. */
export function findProgram(name: string): string | undefined;
