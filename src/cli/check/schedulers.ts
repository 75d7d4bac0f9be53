import { execFile } from 'node:child_process';
import type { Row } from './row.js';
import { type Known, OPENPBS, SLURM, versionRow } from './versions.js';

/** The schedulers whose commands are in PATH, with their versions. */

const ANSWER_TIMEOUT_MS = 5_000;

/** Commands that print the version without asking a server. */
const COMMANDS: readonly (readonly [known: Known, program: string, option: string, version: RegExp])[] = [
  [SLURM, 'sinfo', '--version', /^slurm\S* (\d+\.\d+\S*)/m],
  [OPENPBS, 'qstat', '--version', /^pbs_version = (\d+\.\d+\S*)/m],
];

/** A row per scheduler that is installed here. Never rejects. */
export async function schedulerVersions(): Promise<Row[]> {
  const rows = await Promise.all(
    COMMANDS.map(async ([known, program, option, version]) => {
      const [, found] = version.exec(await output(program, option)) ?? [];
      return found === undefined ? [] : [versionRow(known, found)];
    }),
  );
  return rows.flat();
}

/** Both outputs of the program; empty if there is no such program, or it is late. */
function output(program: string, option: string): Promise<string> {
  return new Promise((resolve) => {
    execFile(program, [option], { timeout: ANSWER_TIMEOUT_MS, killSignal: 'SIGKILL' }, (_error, stdout, stderr) =>
      resolve(`${stdout}\n${stderr}`),
    );
  });
}
