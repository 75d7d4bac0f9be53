import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { formatRow, pass } from '../../src/cli/check/row.js';
import { formatAnswer, parseAnswer } from '../../src/cli/ctl/answer.js';
import { createLogger } from '../../src/log.js';
import { PROC_BOX, plainEnvironment, run, temporaryFolder } from '../fixtures/run.js';

/** Names, job ids, paths and answers are others' choice: no table or log lets them write a row or drive a terminal. */

const HOSTILE = 'x\nwaits  99 messages  \x1b[2J\u009b31m\r\u202eevil\u200b\x7f';
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

function lines(text: string): string[] {
  return text.split('\n').slice(0, -1);
}

t.test('the log: a command that is not there, a bad value, a bad file name', async (t) => {
  for (const [command, options] of [
    [[HOSTILE], []],
    [[`/tmp/${HOSTILE}`], []],
    [['true'], ['--timeout', HOSTILE]],
    [['true'], ['--config', `/tmp/${HOSTILE}`]],
    [['true'], ['--uri-file', `/tmp/${HOSTILE}`]],
    [['true'], [`--${HOSTILE}`]],
    [['true'], ['--cgroup', `/${HOSTILE}`, '--memory', '1G', '--enforce', 'strict']],
  ] as const) {
    const { stderr, code } = await run(t, command, { options });
    t.not(code, 0);
    t.ok(lines(stderr).length > 0 && lines(stderr).every((line) => line.startsWith('proc_box: ')), stderr);
    t.notOk(
      lines(stderr).some((line) => UNSAFE.test(line)),
      JSON.stringify(stderr),
    );
  }
});

t.test('the start line and the report: job, step and task of the scheduler', async (t) => {
  const env = { SLURM_JOB_ID: HOSTILE, SLURM_STEP_ID: HOSTILE, SLURM_PROCID: HOSTILE, SLURM_CLUSTER_NAME: HOSTILE };
  const { stderr } = await run(t, ['true'], { options: ['--report', '--timeout', '1m'], env });
  t.notOk(
    lines(stderr).some((line) => UNSAFE.test(line)),
    JSON.stringify(stderr),
  );
  t.ok(
    lines(stderr).every((line) => /^(?:proc_box: | {2}|Task elapsed)/.test(line)),
    stderr,
  );
});

t.test('spool list: a job id and a folder', async (t) => {
  const spoolDir = join(temporaryFolder(t), `dir\n${HOSTILE}`);
  mkdirSync(spoolDir);
  const options = [
    '-uri',
    'amqp://127.0.0.1:1',
    '--agent',
    'none',
    '--config',
    'none',
    '--flush',
    '0',
    '--spool-dir',
    spoolDir,
  ];
  await run(t, ['true'], { bare: true, options, env: { SLURM_JOB_ID: HOSTILE, SLURM_STEP_ID: '1' } });
  const list = (...more: string[]) =>
    spawnSync(PROC_BOX, ['spool', 'list', '--config', 'none', '--spool-dir', spoolDir, ...more], {
      encoding: 'utf8',
      env: plainEnvironment(),
    });
  const { stdout, stderr } = list();
  t.equal(lines(stdout).length, 1, `${JSON.stringify(stdout)} ${stderr}`);
  t.notOk(UNSAFE.test(lines(stdout)[0]!), JSON.stringify(stdout));
  const json = list('--json').stdout;
  t.notOk(
    lines(json).some((line) => UNSAFE.test(line)),
    JSON.stringify(json),
  );
  t.match(JSON.parse(json).files[0].file, spoolDir, 'the value is the same');
});

t.test('rows of check, answers of ctl, lines of the log', async (t) => {
  const row = formatRow({ ...pass('name', HOSTILE), fix: HOSTILE });
  const answers = [
    {
      ok: true,
      box: HOSTILE,
      host: HOSTILE,
      job: HOSTILE,
      command: 'status',
      result: { state: HOSTILE, [HOSTILE]: 1 },
    },
    { ok: false, box: 'b', host: 'h', job: 'j', command: HOSTILE, error: { code: HOSTILE, message: HOSTILE } },
  ].map((answer) => `${formatAnswer(parseAnswer(JSON.stringify(answer))!)}\n`);
  let log = '';
  createLogger('debug', { write: (line) => (log += line) }).warn(HOSTILE);
  for (const [text, count] of [
    [row, 2],
    [answers.join(''), 2],
    [log, 1],
  ] as const) {
    t.equal(lines(text).length, count, JSON.stringify(text));
    t.notOk(
      lines(text).some((line) => UNSAFE.test(line)),
      JSON.stringify(text),
    );
  }
});
