import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { hostname, randomHex, userName } from 'cgroup-utils-native';
import { EXIT } from '../../box/outcome.js';
import { BOX_GROUPS } from '../../cgroup/box-groups.js';
import { removeCgroup } from '../../cgroup/remove.js';
import { describeError, SpecError } from '../../errors.js';
import { runHere } from '../../kernel/run-task.js';
import { createLogger } from '../../log.js';
import { assembleSpec } from '../../options/assemble.js';
import type { BoxSpec } from '../../options/spec.js';
import { isSet, readVerb, type Verb } from '../../options/verb-words.js';
import { quote } from '../../options/words.js';
import { print } from '../../print.js';
import { findScheduler } from '../../scheduler/identity.js';
import { printableJson } from '../../text.js';
import { type CtlInput, socketOptionsOf } from '../ctl/options.js';
import { agentRow } from './agent.js';
import { type CgroupCheck, checkCgroup } from './cgroup.js';
import { brokerRows, programRows, schedulerRow } from './host.js';
import { checkJob, groupFiles, processRows } from './job.js';
import { fail, formatRow, type Row } from './row.js';
import { schedulerVersions } from './schedulers.js';

declare const PROC_BOX_VERSION: string;

const HELP = `usage: proc_box check [--json] [options of a box]

Reports what boxes can do on this host, for this user and under this scheduler: one line per capability with the evidence,
and below it what would change it. It makes one control group and one short job, and removes both.

Options:
  --json                      print one JSON object
  --help                      print this text
The options of a box, its PBOX_* variables and its config file set which broker is tried (--uri), and whether a limit
that the kernel would not hold is a failure (--enforce strict).

Exit status:
  0    every line is PASS or WARN: boxes work, and WARN lines say what is weaker
  1    a line is FAIL
  125  an option is wrong
`;

/** Here `--json` is a flag, while the box's option of that name takes a value. */
const CHECK: Verb<'json' | 'help'> = {
  name: 'proc_box check',
  own: { json: {}, help: {} },
  ofBox: 'all',
  ends: 'with the words',
};

/** `proc_box check`. Never rejects. @returns the exit status */
export async function runCheck(input: CtlInput): Promise<number> {
  try {
    const { spec, json, help, words } = parseCheck(input);
    if (help) return print(HELP);
    const environment = { environment: process.env, version: PROC_BOX_VERSION, uid: process.geteuid?.() ?? -1 };
    const rows = await collect(spec, agentRow({ words, settings: input.settings, ...environment }));
    const status = rows.some((row) => row.status === 'FAIL') ? 1 : 0;
    return print(json ? `${printableJson(report(rows), 2)}\n` : rows.map(formatRow).join(''), status);
  } catch (error) {
    createLogger('info').error(describeError(error, input.debug));
    return EXIT.failed;
  }
}

/** @throws SpecError */
function parseCheck(input: CtlInput) {
  const words = readVerb<'json' | 'help'>(input.argv.slice(2), CHECK);
  const [extra] = words.rest;
  if (extra !== undefined)
    throw new SpecError(`${quote(extra)} is not an option; usage: proc_box check [--json] [options of a box]`);
  const deadline = { scheduler: 'none', remainingMs: null } as const;
  const { spec } = assembleSpec({ ...input, words: words.forBox, command: ['check'], deadline });
  return { spec, json: isSet(words, 'json'), help: isSet(words, 'help'), words: words.forBox };
}

async function collect(spec: BoxSpec, agent: Promise<Row>): Promise<Row[]> {
  // argv[1] is <package>/dist/boot.cjs.
  const root = dirname(dirname(process.argv[1] ?? ''));
  let check: CgroupCheck | undefined;
  let files: Row[] = [];
  const broker = brokerRows(spec, socketOptionsOf(spec));
  const schedulers = schedulerVersions();
  try {
    const job = await checkJob(`${root}/bin/proc_box`, (keeper) => {
      check = checkCgroup({
        name: `${BOX_GROUPS.prefix}check${randomHex(4)}`,
        ourPids: [process.ppid, process.pid, keeper.pid],
        // If this process is killed, the keeper removes the group.
        beforeMaking: (steps) => keeper.cleanup(steps),
        place: { scheduler: findScheduler(process.env), root: process.geteuid?.() === 0, systemd: systemdRuns() },
        environment: process.env,
        strict: spec.enforce === 'strict',
        allowedCpus: /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '',
      });
      files = groupFiles(check.found, check.cgroup);
      return check;
    });
    return [
      ...programRows(root),
      schedulerRow(process.env),
      ...(await schedulers),
      ...(check?.rows ?? []),
      ...job,
      ...files,
      ...processRows(),
      await agent,
      ...(await broker),
    ];
  } catch (error) {
    return [
      ...programRows(root),
      fail('control groups', (error as Error).message, 'report it'),
      await agent,
      ...(await broker),
    ];
  } finally {
    if (check !== undefined) runHere(removeCgroup(check.cgroup));
  }
}

function systemdRuns(): boolean {
  try {
    return readFileSync('/proc/1/comm', 'latin1').trim() === 'systemd';
  } catch {
    return false; // hidepid; this only affects how a remedy is worded
  }
}

function report(rows: readonly Row[]) {
  const count = (status: Row['status']) => rows.filter((row) => row.status === status).length;
  return {
    version: PROC_BOX_VERSION,
    host: hostname(),
    user: userName(),
    scheduler: findScheduler(process.env),
    ok: count('FAIL') === 0,
    summary: { pass: count('PASS'), warn: count('WARN'), fail: count('FAIL') },
    checks: rows,
  };
}
