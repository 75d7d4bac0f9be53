import { userName } from 'cgroup-utils-native';
import { EXIT } from '../../box/outcome.js';
import { describeError, isEnvironmentError, SpecError } from '../../errors.js';
import { createLogger, type Logger } from '../../log.js';
import { amount, duration } from '../../options/amounts.js';
import { assembleSpec } from '../../options/assemble.js';
import { naming } from '../../options/resolve.js';
import type { BoxSpec } from '../../options/spec.js';
import { parseDuration } from '../../options/units.js';
import { isSet, readVerb, type Verb } from '../../options/verb-words.js';
import { quote } from '../../options/words.js';
import { print } from '../../print.js';
import {
  BAD,
  boxOf,
  type Delivered,
  examine,
  FILE_MAX_BYTES,
  type Folder,
  openFolder,
  openSpooled,
  SPOOLED,
  spoolOwners,
  statOf,
} from '../../spool/index.js';
import { printable, printableJson } from '../../text.js';
import type { CtlInput } from '../ctl/options.js';
import { flushFolders } from './flush.js';

const HELP = `usage: proc_box spool list [--json] [options of a box]
       proc_box spool flush [--wait <duration>] [--max-time <duration>] [options of a box]

Lists or delivers the messages that boxes have kept on disk (--spool-dir) because the broker had not confirmed them.

  list     print a line for each file: user, box, job, messages, bytes, age, state
  flush    deliver the files of boxes that have ended, and remove them. A file with damaged records, or one that the
           broker refuses, is set aside (.bad), with a warning that says why
For root this covers the files of all users, in turn; for other users only their own.

Options:
  --wait <duration>           how long to wait for the login, and for a confirm of the broker (default 10s)
  --max-time <duration>       how long to deliver; what is left then stays for the next flush (default 10m)
  --json                      print one JSON object
  --help                      print this text
The spool and the broker are set as for a box: by --spool-dir, --spool-max-age, --uri, --uri-file, --exchange, --skey,
--ekey, --rascal-config, --config, their PBOX_* variables, or the config file. From files of other users, root publishes
only messages that name the file's owner, to this exchange, with keys below --skey and --ekey.

Exit status:
  0    flush: only files of running boxes are left; list: done
  1    flush: other files are left, or were set aside
  125  an option is wrong, or the spool or the broker cannot be used
`;

const OWN = {
  wait: { placeholder: 'duration', default: '10s' },
  'max-time': { placeholder: 'duration', default: '10m' },
  json: {},
  help: {},
} as const;
const SPOOL: Verb<keyof typeof OWN> = { name: 'proc_box spool', own: OWN, ofBox: 'all', ends: 'with the words' };
/** setTimeout treats a longer time as 1 ms. */
const TIMER_MAX_MS = 2 ** 31 - 1;
/** Most warnings about directories that cannot be used. */
const FAILURES_SHOWN = 20;

interface SpoolParsed {
  readonly verb: 'list' | 'flush';
  readonly json: boolean;
  readonly waitMs: number;
  readonly mostMs: number;
  readonly spec: BoxSpec & { readonly spoolDir: string };
  readonly warnings: readonly string[];
}

/** `proc_box spool`. Never rejects. @returns the exit status */
export async function runSpool(input: CtlInput): Promise<number> {
  const log = createLogger('info');
  try {
    const request = parseSpool(input);
    if (request === 'help') return print(HELP);
    for (const warning of request.warnings) log.warn(warning);
    await using folders = await openFolders(request.spec.spoolDir, log);
    if (request.verb === 'list') return await list(folders, request.json);
    const result = await flushFolders(folders.open, request.spec, { ...request, log });
    const failed = result.left + result.bad + folders.failed > 0;
    return print(request.json ? `${printableJson(result)}\n` : sentence(result), failed ? 1 : 0);
  } catch (error) {
    log.error(describeError(error, input.debug));
    return EXIT.failed;
  }
}

/** @throws SpecError */
function parseSpool(input: CtlInput): SpoolParsed | 'help' {
  const words = readVerb<keyof typeof OWN>(input.argv.slice(2), SPOOL);
  const [verb, ...more] = words.rest;
  if (isSet(words, 'help')) return 'help';
  if ((verb !== 'list' && verb !== 'flush') || more.length > 0) {
    throw new SpecError(
      `${quote(['spool', ...words.rest].join(' '))} is not a command: expected "spool list" or "spool flush"`,
    );
  }
  const { spec, warnings } = assembleSpec({
    ...input,
    words: words.forBox,
    command: ['spool'],
    deadline: { scheduler: 'none', remainingMs: null },
  });
  const { spoolDir } = spec;
  if (spoolDir === undefined) throw new SpecError('--spool-dir is not given: name the directory that the boxes use');
  if (verb === 'flush' && spec.uris.length === 0)
    throw new SpecError('--uri is "none", or its file is missing: give the URI of the broker');
  const [waitMs, mostMs] = (['wait', 'max-time'] as const).map((name) =>
    durationOf(name, words.own.get(name) ?? OWN[name].default),
  );
  return { verb, json: isSet(words, 'json'), waitMs: waitMs!, mostMs: mostMs!, spec: { ...spec, spoolDir }, warnings };
}

/** At most the longest time of a timer of Node. */
function durationOf(name: 'wait' | 'max-time', text: string): number {
  return Math.min(
    TIMER_MAX_MS,
    naming(`--${name}`, () => parseDuration(text)),
  );
}

interface Folders extends AsyncDisposable {
  readonly open: readonly Folder[];
  /** Number of directories that are not safe or cannot be read. */
  readonly failed: number;
}

/** Opens the folders of all users as root, else our own. @throws EnvironmentError if the spool itself cannot be used */
async function openFolders(spoolDir: string, log: Logger): Promise<Folders> {
  const own = process.geteuid?.() ?? -1;
  const open: Folder[] = [];
  let failed = 0;
  for (const uid of own === 0 ? await spoolOwners(spoolDir) : [own]) {
    try {
      const folder = await openFolder(spoolDir, uid, false);
      if (folder !== undefined) open.push(folder);
    } catch (error) {
      if (own !== 0 || !isEnvironmentError(error)) throw error;
      // Anybody may write to the spool, and so could make thousands of unusable directories.
      if (++failed <= FAILURES_SHOWN) log.warn(error.message);
    }
  }
  if (failed > FAILURES_SHOWN) log.warn(`spool ${spoolDir}: ${failed - FAILURES_SHOWN} more warnings are not shown`);
  const dispose = async () => {
    for (const folder of open) await folder[Symbol.asyncDispose]();
  };
  return { open, failed, [Symbol.asyncDispose]: dispose };
}

interface Listed {
  readonly user: string;
  readonly file: string;
  readonly box: string;
  readonly job: string | null;
  /** Null if the file is in use or not trusted, and so was not read. */
  readonly messages: number | null;
  readonly bytes: number;
  readonly age_sec: number;
  readonly damaged: number;
  readonly state: 'waits' | 'in use' | 'set aside' | 'not trusted';
}

async function list(folders: Folders, json: boolean): Promise<number> {
  const rows: Listed[] = [];
  for (const folder of folders.open) {
    for (const name of [...(await folder.names(SPOOLED)), ...(await folder.names(BAD))]) {
      const row = await listed(folder, name);
      if (row !== undefined) rows.push(row);
    }
  }
  if (json) return print(`${printableJson({ files: rows }, 2)}\n`);
  if (rows.length === 0) return print('The spool is empty.\n');
  const lines = rows.map(
    ({ state, messages, damaged, bytes, age_sec, user, job, file }) =>
      `${state.padEnd(11)}  ${String(messages ?? '?').padStart(7)} messages${damaged > 0 ? `, ${damaged} damaged` : ''}  ${amount(bytes, 'bytes').padStart(10)}  ${duration(age_sec * 1000)} old  user ${printable(user)}  job ${printable(job ?? '?')}  ${printable(file)}\n`,
  );
  return print(lines.join(''));
}

async function listed(folder: Folder, name: string): Promise<Listed | undefined> {
  const found = await openSpooled(folder, name);
  if (found.kind === 'gone') return undefined;
  const stats = await statOf(folder, name);
  const head = {
    user: userName(folder.uid),
    file: folder.shown(name),
    box: boxOf(name),
    job: null,
    messages: null,
    bytes: stats?.size ?? 0,
    age_sec: stats === undefined ? 0 : Math.max(0, Math.round((Date.now() - stats.mtimeMs) / 1000)),
    damaged: 0,
  };
  if (found.kind === 'in use') return { ...head, state: 'in use' };
  if (found.kind === 'foreign') return { ...head, state: 'not trusted' };
  await using file = found.file;
  if (file.bytes > FILE_MAX_BYTES) return { ...head, state: 'not trusted' };
  const contents = await examine(file);
  return {
    ...head,
    job: contents.head?.identity.job ?? null,
    messages: contents.messages,
    damaged: contents.broken,
    state: name.endsWith(BAD) ? 'set aside' : 'waits',
  };
}

function sentence({ messages, files, dropped, inUse, left, bad }: Delivered): string {
  const parts = [`delivered ${messages} messages of ${files} files`];
  if (dropped > 0) parts.push(`${dropped} were lost, which spool_dropped events report`);
  if (inUse > 0) parts.push(`${inUse} files are in use by running boxes`);
  if (left > 0) parts.push(`${left} files are left`);
  if (bad > 0) parts.push(`${bad} files were set aside`);
  return `${parts.join('; ')}\n`;
}
