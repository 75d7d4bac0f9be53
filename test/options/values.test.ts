import t from 'tap';
import { parseInterval, parseSampleInterval } from '../../src/options/intervals.js';
import { parseByteLimit, parsePids, parseTimeLimit, parseTimeout } from '../../src/options/limit-values.js';
import {
  parseCgroupMode,
  parseCommandKey,
  parseEnforce,
  parseFailure,
  parseJsonObject,
  parseKey,
  parseNear,
  parsePath,
  parseReportPath,
  parseWarnSignal,
} from '../../src/options/values.js';

type Parse = (text: string) => unknown;

t.test('what is good is read', async (t) => {
  const cases: readonly (readonly [Parse, string, unknown])[] = [
    [parseTimeLimit, '10m', 600_000],
    [parseTimeLimit, 'infinity', 0],
    [parseTimeLimit, '0', 0],
    [parseTimeout, 'scheduler', 'scheduler'],
    [parseTimeout, '1h', 3_600_000],
    [parseByteLimit, 'unlimited', 0],
    [parseByteLimit, '1k', 1024],
    [parsePids, '0', 'unlimited'],
    [parsePids, '1', 1],
    [parsePids, '4194304', 4_194_304],
    [parseCgroupMode, 'auto', 'auto'],
    [parseCgroupMode, 'off', 'off'],
    [parseCgroupMode, '/a/b/', ['/a/b']],
    [
      parseCgroupMode,
      '/sys/fs/cgroup/cpu,cpuacct/x, /sys/fs/cgroup/memory/x',
      ['/sys/fs/cgroup/cpu,cpuacct/x', '/sys/fs/cgroup/memory/x'],
    ],
    [parseEnforce, 'strict', 'strict'],
    [parseEnforce, 'best-effort', 'best-effort'],
    [parseFailure, 'open', 'open'],
    [parseFailure, 'closed', 'closed'],
    [parseInterval, '10ms', 10],
    [parseSampleInterval, '0', 0],
    [parseSampleInterval, '0s', 0],
    [parseSampleInterval, '10s', 10_000],
    [parseKey, 'proc_box.stats', 'proc_box.stats'],
    [parseKey, 'x'.repeat(127), 'x'.repeat(127)],
    [parseKey, 'a.*.#', 'a.*.#'],
    [parseCommandKey, 'a*.b#', 'a*.b#'],
    [parsePath, 'a b', 'a b'],
    [parseNear, 'none', []],
    [parseNear, '95,80, 80', [80, 95]],
    [parseNear, '1,99', [1, 99]],
    [parseWarnSignal, 'USR1', { signal: 10, beforeMs: 60_000 }],
    [parseWarnSignal, 'SIGUSR1@5m', { signal: 10, beforeMs: 300_000 }],
    [parseWarnSignal, '10@300', { signal: 10, beforeMs: 300_000 }],
    [parseReportPath, 'r-{job}.{step}.{task}-{host}-{box}.json', 'r-{job}.{step}.{task}-{host}-{box}.json'],
    [parseJsonObject, '{"a": {"b": [1]}}', { a: { b: [1] } }],
  ];
  for (const [parse, text, value] of cases) t.same(parse(text), value, `${parse.name} ${text}`);
});

t.test('what is not is refused, with what is expected and an example', async (t) => {
  const long = 'ä'.repeat(64);
  const name = (text: string) => `"${text}" is not a name of 1 to 127 printable bytes: for example "proc_box.stats"`;
  const cases: readonly (readonly [Parse, string, string | RegExp])[] = [
    [parseTimeLimit, 'soon', /^"soon" is not a time limit/],
    [parseTimeout, 'soon', /^"soon" is not a time limit.*, or "scheduler"$/],
    [parseByteLimit, 'much', /^"much" is not a size/],
    [parsePids, '4194305', /"4194305"/],
    [parsePids, '-1', /"-1"/],
    ...['relative', '/', '', '/a,', 'Auto'].map(
      (text) =>
        [
          parseCgroupMode,
          text,
          `"${text}" is not a place for control groups: expected auto, off or absolute paths, for example "auto"`,
        ] as const,
    ),
    [parseEnforce, 'Strict', '"Strict" is not a way to enforce: expected strict or best-effort, for example "strict"'],
    [parseFailure, 'no', '"no" is not a failure policy: expected open or closed, for example "open"'],
    [parseInterval, '9ms', '"9ms" is too short: expected at least 10ms, for example "10s"'],
    [parseInterval, '0', '"0" is too short: expected at least 10ms, for example "10s"'],
    [parseSampleInterval, '1us', '"1us" is too short: expected at least 10ms, for example "10s"'],
    [parseKey, '', name('')],
    [parseKey, long, /^"ä+…" is not a name of 1 to 127 printable bytes/],
    [parseKey, 'a\u0000b', /is not a name of 1 to 127 printable bytes/],
    [parseKey, 'a\u007f', /is not a name of 1 to 127 printable bytes/],
    [parseCommandKey, '', name('')],
    ...['#', 'a.*', '*.b'].map(
      (text) =>
        [
          parseCommandKey,
          text,
          `"${text}" has a wildcard, but commands need an exact key: for example "proc_box.remote_control"; for several keys set multiRmtKey and separate them by commas`,
        ] as const,
    ),
    [parsePath, '', '"" is not a path: for example "/etc/proc_box/uri"'],
    [parsePath, 'a\0b', /is not a path: for example/],
    ...['', '0', '100', '5,x', '-5', '1,2,3,4,5,6,7,8,9,10,11', '1.5'].map(
      (text) =>
        [
          parseNear,
          text,
          `"${text}" is not a list of percentages: expected up to 10 numbers from 1 to 99, or none, for example "80,95"`,
        ] as const,
    ),
    ...['KILL', 'STOP@5m', '9'].map(
      (text) =>
        [
          parseWarnSignal,
          text,
          `"${text}" is not a signal with a time: no job can handle that signal; expected <signal>[@<time before the limit>], for example "USR1@5m"`,
        ] as const,
    ),
    [parseWarnSignal, 'NOPE', /^"NOPE" is not a signal with a time: "NOPE" is not a signal/],
    [parseWarnSignal, 'USR1@', /^"USR1@" is not a signal with a time: "" is not a time limit/],
    [
      parseReportPath,
      'r-{jobs}.json',
      '"{jobs}" is unknown in "r-{jobs}.json": expected one of {job}, {step}, {task}, {host}, {box}; did you mean "job"?',
    ],
    [parseReportPath, 'reports/', '"reports/" is a folder: expected a file, for example "report-{job}.json"'],
    [parseReportPath, '', '"" is not a path: for example "/etc/proc_box/uri"'],
    [parseJsonObject, '{', /^"\{" is not JSON \(.*\): for example '\{"project": "x"\}'$/],
    ...['[1]', 'null', '7', '"a"'].map((text) => [parseJsonObject, text, /is not a JSON object: for example/] as const),
  ];
  for (const [parse, text, message] of cases)
    t.throws(() => parse(text), { name: 'SpecError', message }, `${parse.name} ${text.slice(0, 40)}`);
});
