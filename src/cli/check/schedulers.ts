import { execFile } from 'node:child_process';
import type { Row } from './row.js';
import { type Known, OPENPBS, SLURM, versionRow } from './versions.js';

/** The schedulers whose commands are in PATH, with their versions. */

const ANSWER_TIMEOUT_MS = 5_000;

/** Programs that print the version without asking a server. Those of Slurm's clients need its configuration. */
const PROGRAMS: readonly (readonly [known: Known, programs: readonly string[], version: RegExp])[] = [
  [SLURM, ['sinfo', 'slurmd'], /^slurm\S* (\d+\.\d+\S*)/m],
  [OPENPBS, ['qstat'], /^pbs_version = (\d+\.\d+\S*)/m],
];

/** A row per scheduler that is installed here. Never rejects. */
export async function schedulerVersions(): Promise<Row[]> {
  const rows = await Promise.all(
    PROGRAMS.map(async ([known, programs, version]) => {
      for (const program of programs) {
        const [, found] = version.exec(await output(program)) ?? [];
        if (found !== undefined) return [versionRow(known, found)];
      }
      return [];
    }),
  );
  return rows.flat();
}

/** Both outputs of `program -V`; empty if there is no such program, or it is late. */
function output(program: string): Promise<string> {
  const option = program === 'qstat' ? '--version' : '-V';
  return new Promise((resolve) => {
    execFile(program, [option], { timeout: ANSWER_TIMEOUT_MS, killSignal: 'SIGKILL' }, (_error, stdout, stderr) =>
      resolve(`${stdout}\n${stderr}`),
    );
  });
}
