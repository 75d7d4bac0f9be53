import { atLeast, pass, type Row, warn } from './row.js';

/**
 * The versions that proc_box has been tested with, and what is different on some of them. docs/compatibility.md has the runs;
 * test/docs/compatibility.test.ts compares the two.
 */
export interface Known {
  readonly name: string;
  /** Beginnings of the tested versions, oldest first. */
  readonly tested: readonly string[];
  readonly differences: readonly Difference[];
}

interface Difference {
  /** The first version that has it, or does not have it any longer. */
  readonly from?: readonly [major: number, minor: number];
  readonly before?: readonly [major: number, minor: number];
  readonly what: string;
}

export const NODE: Known = { name: 'Node', tested: ['20', '22', '24', '26'], differences: [] };

export const SLURM: Known = {
  name: 'Slurm',
  tested: ['22.05', '24.11', '26.05'],
  differences: [
    {
      before: [23, 2],
      what: 'Slurm does not tell jobs when they will end, so a box has no wall clock limit unless --timeout scheduler asks squeue',
    },
    {
      from: [24, 11],
      what: 'under cgroup v1, root owns the groups of tasks, so only sampling holds --memory of boxes that ordinary users start (docs/slurm.md)',
    },
  ],
};

export const RABBITMQ: Known = {
  name: 'RabbitMQ',
  tested: ['3.10', '4.0', '4.3'],
  differences: [
    { before: [4, 0], what: 'topic permissions do not cover the headers CC and BCC (docs/security.md)' },
    { from: [4, 3], what: 'rabbitmqadmin is a different program: docs/messages.md has commands for both' },
  ],
};

export const OPENPBS: Known = { name: 'OpenPBS', tested: ['23.06'], differences: [] };

/** Whether a version has been tested, and what is different on it. @param version such as `24.11.5` */
export function versionRow({ name, tested, differences }: Known, version: string, place = ''): Row {
  const here = differences.filter(
    ({ from, before }) =>
      (from === undefined || atLeast(version, ...from)) && (before === undefined || !atLeast(version, ...before)),
  );
  const shown = [`${version}${place}`, ...here.map(({ what }) => what)];
  if (tested.some((known) => `${version}.`.startsWith(`${known}.`))) return pass(name, shown.join('; '));
  const [first, ...others] = shown;
  return warn(
    name,
    [`${first}: not tested (tested: ${tested.join(', ')})`, ...others].join('; '),
    `try what you need with this version, or run ${name} ${tested.at(-1)}; docs/compatibility.md says what was tested`,
  );
}
