import { spawnSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { configure, HOOK, startMom } from '../fixtures/mom.js';
import { until } from '../fixtures/processes.js';
import { PROC_BOX, PYTHON } from '../fixtures/run.js';

const STUB = join(dirname(fileURLToPath(import.meta.url)), '..', 'fixtures', 'pbs', 'pbs.py');
interface Answer {
  readonly accept: boolean;
  readonly message: string | null;
  readonly progname: string;
  readonly argv: string[];
  readonly env: Record<string, string>;
  readonly Variable_List: Record<string, string>;
  readonly log: string[];
}

/** The hook's Python run with the stand-in of its module. */
function runHook(event: object, config?: string): Answer {
  const { stdout, stderr } = spawnSync(PYTHON, [STUB], {
    input: JSON.stringify({ script: HOOK, event, config }),
    encoding: 'utf8',
  });
  if (stderr !== '') throw new Error(stderr);
  return JSON.parse(stdout);
}

const own = (text: string) =>
  text
    .split('\n')
    .filter((line) => !line.startsWith('proc_box:') && !line.startsWith('Task elapsed'))
    .join('\n');

t.test(
  'script, script without an interpreter line, array, -S, command and interactive jobs are boxed as they are',
  async (t) => {
    const mom = startMom(t);
    const hook = configure(mom);
    const show = '#!/bin/bash\necho "$0 $SHELL $(umask) $(env | grep -c PBOX_)"; shopt login_shell; exit 6';
    for (const [what, options, status, shows] of [
      ['script', { script: show }, 6, /SC \/bin\/bash 0077 0$/m],
      ['bare', { script: 'echo "bare $BASHPID" | tr -d 0-9' }, 0, /^bare $/m],
      ['array', { script: show, id: '20[4].srv' }, 6, /20\[4\]\.srv\.SC/],
      ['-S', { script: show, shell: '/bin/sh' }, 6, /SC \/bin\/sh 0077 0$/m],
      ['command', { command: ['/bin/sh', '-c', 'echo "$0:$1:$2"; exit 9', 'a b', "it's"] }, 9, /^a b:it's:$/m],
      ['killed', { command: ['/bin/sh', '-c', 'kill -USR1 $$'] }, 256 + 10, /^$/m],
    ] as const) {
      const task = await mom.run({ ...options, hook });
      t.equal(await task.exitStatus, status, what);
      t.match(task.output(), /started in box/, what);
      t.match(own(task.output()), shows, what);
    }
    const shell = await mom.run({ interactive: true, hook, env: { PS1: '> ' } });
    await until(() => shell.output().includes('started in box'), 'the shell runs');
    shell.type('echo "I am $0"; exit\n');
    t.equal(await shell.exitStatus, 0);
    t.match(shell.output(), /I am -bash\r\n/);
  },
);

t.test('tasks of pbsdsh: each is boxed, with its number', async (t) => {
  const mom = startMom(t);
  const hook = configure(mom);
  const tasks = await Promise.all(
    [1, 2].map((taskNumber) =>
      mom.run({ command: ['/bin/echo', `task ${taskNumber}`], id: '30.srv', taskNumber, hook }),
    ),
  );
  for (const [at, task] of tasks.entries()) {
    t.equal(await task.exitStatus, 0);
    t.match(task.output(), new RegExp(`job 30 task ${at + 1} started in box`));
    t.equal(own(task.output()).trim(), `task ${at + 1}`);
  }
});

t.test('tasks on another node: stdout is a socket, and all of it arrives', async (t) => {
  const mom = startMom(t);
  const command = ['/bin/sh', '-c', 'seq 50000; echo "node $PBS_NODENUM"; exit 8'];
  const task = await mom.run({ command, taskNumber: 3, env: { PBS_NODENUM: '1' }, socket: true, hook: configure(mom) });
  t.equal(await task.exitStatus, 8);
  await until(() => task.output().includes('Task elapsed'), 'the end has arrived');
  t.match(task.output(), /task 3 started in box/);
  // Lines of ours may stand within one of the job's: both come from processes of their own.
  const jobs = task.output().replaceAll(/(?:proc_box: |Task elapsed).*\n/g, '');
  t.ok(jobs === `${Array.from({ length: 50_000 }, (_, at) => `${at + 1}\n`).join('')}node 1\n`);
});

t.test(
  'arguments with newlines and outer blanks survive: the server carries them, the launch puts them back',
  async (t) => {
    const words = ['/usr/bin/printf', '[%s]\n', ' outer ', 'two\nlines', '', '<&">;%41', 'ü', 'a,b\\,c', 'plain'];
    const xml = words
      .slice(1)
      .map((word) =>
        word.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;'),
      )
      .map((word) => `<jsdl-hpcpa:Argument>${word}</jsdl-hpcpa:Argument>`)
      .join('');
    const queued = runHook({ type: 'queuejob', job: { id: '40.srv', argument_list: xml, Variable_List: { A: 'b' } } });
    t.ok(queued.accept);
    t.equal(queued.Variable_List['A'], 'b');
    const mom = startMom(t);
    const hook = configure(mom);
    const env = queued.Variable_List;
    // As MoM has it: without the empty one.
    const task = await mom.run({ command: words.filter((word) => word !== ''), hook, env, id: '40.srv' });
    t.equal(await task.exitStatus, 0);
    t.match(
      own(task.output()),
      words
        .slice(2)
        .map((word) => `[${word}]\n`)
        .join(''),
    );

    const other = await mom.run({ command: ['/bin/echo', 'of', 'pbsdsh'], hook, env, id: '40.srv' });
    t.equal(await other.exitStatus, 0);
    t.match(own(other.output()), 'of pbsdsh\n', 'a task with arguments of its own keeps them');

    t.strictSame(
      runHook({
        type: 'queuejob',
        job: { id: '41.srv', argument_list: '<jsdl-hpcpa:Argument>a</jsdl-hpcpa:Argument>' },
      }).Variable_List,
      {},
      'what MoM keeps needs no carrying',
    );
  },
);

t.test('the box resource: off, default, strict, options; what nobody can mean is said to the user', async (t) => {
  const mom = startMom(t);
  const { config } = configure(mom, { default: ['-uri', 'none'], strict: ['--enforce', 'strict'] });
  const launch = (box: string | undefined, file = config) =>
    runHook(
      {
        type: 'execjob_launch',
        job: { id: '1.s', Resource_List: box === undefined ? {} : { box } },
        progname: '/bin/sh',
        argv: [],
        env: { HOME: '/home/u' },
      },
      file,
    );
  t.equal(launch('off').progname, '/bin/sh');
  t.equal(launch(undefined).env['PBOX_ARGV'], '--failure;open;--quiet;-uri;none;--argv0;-sh;--;/bin/sh;');
  t.equal(launch('default').env['PBOX_ARGV'], '--failure;open;-uri;none;--argv0;-sh;--;/bin/sh;');
  t.equal(launch('default').progname, PROC_BOX);
  t.equal(launch('strict').env['PBOX_ARGV'], '--failure;open;-uri;none;--enforce;strict;--argv0;-sh;--;/bin/sh;');
  t.equal(
    launch('--memory 4G --json \'{"a b": 1}\'').env['PBOX_ARGV'],
    '--failure;open;-uri;none;--memory;4G;--json;%7B%22a%20b%22:%201%7D;--argv0;-sh;--;/bin/sh;',
  );
  t.match(launch('--uri-file ~/.uri').env['PBOX_ARGV'], /;--uri-file;\/home\/u\/\.uri;/, 'of the user');
  t.match(launch('"--memory 4G"').env['PBOX_ARGV'], /;--memory;4G;/, 'quotes that PBS has kept');
  t.match(launch("'strict'").env['PBOX_ARGV'], /;--enforce;strict;/);
  t.equal(launch('').progname, PROC_BOX);
  const unknown = { type: 'execjob_launch', job: { id: '1.s', resources_known: [] }, progname: '/bin/sh', argv: [] };
  t.equal(runHook(unknown, config).progname, PROC_BOX, 'this PBS has no such resource');
  t.ok(runHook({ type: 'modifyjob', job: { id: '1.s', resources_known: [] } }, config).accept);
  const off = configure(mom, { allow_off: false, policy: 'off' }).config;
  t.equal(launch(undefined, off).progname, '/bin/sh', "the site's own policy may be off");

  const queue = (box: string, type = 'queuejob', file = off) =>
    runHook({ type, job: { id: '1.s', Resource_List: { box } } }, file);
  for (const [box, message] of [
    ['of', 'proc_box: box=of: expected off, default, strict, or options like "--memory 4G --pids 500"'],
    ["--json '{", "proc_box: box=--json '{: No closing quotation; quote it as a shell would"],
    ['--memory 1G -- rm', 'proc_box: box=--memory 1G -- rm: options only, without --'],
    ['off', 'proc_box: box=off is not allowed here; ask for box=default'],
  ] as const) {
    for (const type of ['queuejob', 'modifyjob']) {
      t.match(queue(box, type), { accept: false, message }, `${type} ${box}`);
    }
  }
  t.ok(queue('strict').accept);
});

t.test('what the site boxes without its user is quiet: only why a box ended the job', async (t) => {
  const mom = startMom(t);
  const hook = configure(mom, { default: ['-uri', 'none', '--config', 'none', '--timeout', '300ms'] });
  const env = { PBOX_MEMROY: '4G' }; // a warning
  for (const command of [
    ['/bin/sh', '-c', 'echo ran; exit 4'],
    ['/bin/sh', '-c', 'echo ran; kill -9 $$'],
  ]) {
    const task = await mom.run({ command, env, hook });
    t.equal(await task.exitStatus, command[2]!.includes('exit') ? 4 : 256 + 9);
    t.equal(task.output(), 'ran\n');
  }
  const ended = await mom.run({ command: ['/bin/sleep', '100'], hook });
  t.equal(await ended.exitStatus, 256 + 15);
  t.match(ended.output(), /^proc_box: time limit of 300 ms \(--timeout\) reached\n$/);
  const login = await mom.run({ script: '#!/bin/sh\necho ran', hook });
  t.equal(await login.exitStatus, 0);
  t.equal(login.output(), 'ran\n');
  const bad = await mom.run({ command: ['/bin/echo', 'ran'], env: { PBOX_MEMORY: 'much' }, hook });
  t.equal(await bad.exitStatus, 0);
  // The job is started first, so its output may come before the line.
  const said = bad.output().split('\n').filter(Boolean).sort();
  t.match(said, [/^proc_box: error: .*PBOX_MEMORY/, /^ran$/], 'what somebody must see is said');
  t.equal(said.length, 2);
  for (const asks of [{ resources: { box: 'default' } }, { env: { PBOX_DEBUG: 'true' } }]) {
    const task = await mom.run({ command: ['/bin/echo', 'ran'], ...asks, hook });
    t.equal(await task.exitStatus, 0);
    t.match(task.output(), /started in box/, 'its user wants to know');
  }
});

t.test('a missing wrapper: the log says so; fail-open runs the job without a box, fail-closed does not', async (t) => {
  const mom = startMom(t);
  const missing = join(mom.home, 'nowhere', 'proc_box');
  const open = await mom.run({ script: '#!/bin/sh\nexit 3', hook: configure(mom, { proc_box: missing }), id: '5.srv' });
  t.equal(await open.exitStatus, 3);
  t.strictSame(open.hookLog, [
    `proc_box: 5.srv: ${missing} is missing on standin or not executable; install proc_box there, or name its path in the hook's configuration (proc_box)`,
    'proc_box: 5.srv runs without a box',
  ]);
  const told = `proc_box: error: this job runs without a box: ${missing} is missing on standin or not executable; `;
  t.match(open.output(), told);
  for (const [what, options, shows] of [
    ['a login shell stays one', { script: '#!/bin/sh\ntr "\\0" "," </proc/$PPID/cmdline' }, /^-bash,$/m],
    ['-S', { shell: '/bin/dash', script: '#!/bin/sh\ntr "\\0" "," </proc/$PPID/cmdline' }, /^-dash,$/m],
    ['a command', { command: ['/usr/bin/printf', '[%s]', 'a b', "it's", '$(id)'] }, /^\[a b\]\[it's\]\[\$\(id\)\]$/m],
    ['its environment', { command: ['/usr/bin/env'], env: { BASH_ENV: '/nowhere/x' } }, /^BASH_ENV=\/nowhere\/x$/m],
  ] as const) {
    const task = await mom.run({ ...options, hook: configure(mom, { proc_box: missing }) });
    t.equal(await task.exitStatus, 0, what);
    t.ok(task.output().startsWith(told), what);
    t.match(task.output(), shows, what);
  }
  const shell = await mom.run({ interactive: true, hook: configure(mom, { proc_box: missing }), env: { PS1: '> ' } });
  await until(() => shell.output().includes(told), 'the user of qsub -I reads it');
  shell.type('echo "I am $0"; exit\n');
  t.equal(await shell.exitStatus, 0);
  t.match(shell.output(), /I am -bash\r\n/);
  const broken = await mom.run({
    script: "#!/bin/sh\ntr '\\0' ' ' </proc/$PPID/cmdline; exit 4",
    resources: { box: '--memory 4X' },
    hook: configure(mom),
  });
  t.equal(await broken.exitStatus, 4, 'options that cannot be meant cost no job either');
  t.match(broken.output(), /^-bash /m, 'a login shell stays one');
  const closed = await mom.run({
    script: '#!/bin/sh\nexit 3',
    hook: configure(mom, { proc_box: missing, fail: 'closed' }),
  });
  t.equal(await closed.exitStatus, -17);
  t.match(closed.hookLog[0], /is missing on standin/);
});

t.test('a configuration that is wrong is told, and costs no job unless it says so', async (t) => {
  const mom = startMom(t);
  for (const [text, message, status] of [
    ['{"polcy": "off"}', /unknown key polcy; known keys are allow_off, /, 2],
    ['{', /Expecting property name/, 2],
    ['[]', /expected a JSON object/, 2],
    ['{"fail": "close"}', /fail: "close"; expected open or closed/, 2],
    ['{"fail": "closed", "default": "-uri none"}', /default: "-uri none"; expected a list of words/, -17],
  ] as const) {
    const config = mom.write('broken.json', text);
    const task = await mom.run({ script: '#!/bin/sh\nexit 2', hook: { script: HOOK, config } });
    t.equal(await task.exitStatus, status);
    t.match(task.hookLog[0], message);
  }
});

t.test('a requeued job is told of its restart', async (t) => {
  const mom = startMom(t);
  const hook = configure(mom, { default: ['-uri', 'none', '--config', 'none', '--quiet=false', '--report'] });
  const command = ['/bin/sh', '-c', 'printenv PBS_RESTART_COUNT || echo none'];
  for (const [attributes, env, told, restart] of [
    [{ run_count: 1, run_version: 1 }, {}, 'none', ''],
    [{}, {}, 'none', ''],
    [{ run_count: 9, run_version: 3 }, {}, '2', ', restart 2'],
    [{ run_count: '3' }, {}, '2', ', restart 2'],
    [{ run_version: 1 }, { PBS_RESTART_COUNT: '7' }, '0', ''],
  ] as const) {
    const task = await mom.run({ command, attributes, env, hook });
    t.equal(await task.exitStatus, 0);
    t.match(task.output(), new RegExp(`^${told}$`, 'm'), JSON.stringify(attributes));
    t.match(task.output(), new RegExp(`scheduler    pbs, cluster srv, step -, task 1${restart}$`, 'm'));
  }
});

t.test('a log that PBS cannot write costs no job, and lets none out of its box', async (t) => {
  const mom = startMom(t);
  const missing = configure(mom, { proc_box: '/nowhere/proc_box' });
  const attributes = { log_fails: true };
  const open = await mom.run({ command: ['/bin/sh', '-c', 'exit 3'], hook: missing, attributes });
  t.equal(await open.exitStatus, 3);
  t.match(open.output(), /this job runs without a box: \/nowhere\/proc_box is missing/);
  const resources = { box: '--memory 4X' };
  const bad = await mom.run({ command: ['/bin/sh', '-c', 'exit 4'], hook: configure(mom), resources, attributes });
  t.equal(await bad.exitStatus, 4);
  t.match(bad.output(), /started in box/);
  t.strictSame([open.hookLog, bad.hookLog], [[], []]);
});

t.test('a program that is missing: the status is that of the box, not that of MoM', async (t) => {
  const mom = startMom(t);
  const hook = configure(mom);
  for (const [program, boxed, plain] of [
    ['/nowhere/program', 127, 254],
    ['/etc/passwd', 126, 254],
  ] as const) {
    t.equal(await (await mom.run({ command: [program], hook })).exitStatus, boxed);
    t.equal(await (await mom.run({ command: [program] })).exitStatus, plain);
  }
});

t.test('options and variables with commas, which separate variables between MoM and hooks', async (t) => {
  const mom = startMom(t);
  const hook = configure(mom, { default: ['-uri', 'none', '--config', 'none', '--json', '{"a":1,"b":"x\\\\,y"}'] });
  const task = await mom.run({
    command: ['/bin/sh', '-c', 'printf "[%s]" "$@" "$LIST"', 'a,b', 'c,d'],
    env: { LIST: "1,2 'three',\n4" },
    hook,
  });
  t.equal(await task.exitStatus, 0);
  t.match(task.output(), "[c,d][1,2 'three',\n4]");
});

t.test('-l pvmem too small for Node: a warning, the time limit and the status of the job', async (t) => {
  const mom = startMom(t);
  const hook = configure(mom);
  const limits = { AS: 300 * 2 ** 20 };
  const task = await mom.run({ script: '#!/bin/sh\nulimit -v; exit 6', hook, limits });
  t.equal(await task.exitStatus, 6);
  const timed = await mom.run({ command: ['/bin/sleep', '1000'], hook, limits, resources: { box: '--timeout 200ms' } });
  const boxed = await timed.exitStatus;
  const raised = task.output().includes('started in box');
  t.ok(raised || task.output().includes('warning: the address space is limited to 300 MiB'), task.output());
  t.match(task.output(), /^307200$/m);
  t.equal(boxed, 124);
});

t.test('the program of a task of pbsdsh is found in PATH', async (t) => {
  const mom = startMom(t);
  const task = await mom.run({ command: ['printf', 'found %s', 'it'], taskNumber: 2, hook: configure(mom) });
  t.equal(await task.exitStatus, 0);
  t.match(own(task.output()), /^found it/);
});

t.test('proc_box on a path with blanks', async (t) => {
  const mom = startMom(t);
  const link = join(mom.home, "it's a, box");
  symlinkSync(PROC_BOX, link);
  const task = await mom.run({ script: '#!/bin/sh\nexit 3', hook: configure(mom, { proc_box: link }) });
  t.equal(await task.exitStatus, 3);
  t.match(task.output(), /started in box/);
});
