import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { processState } from '../fixtures/processes.js';
import { job, plainEnvironment, run, start } from '../fixtures/run.js';

/** Row of /proc/PID/limits, and soft and hard values below what every host has. */
const LIMITS: [string, string, string, [string, string]][] = [
  ['as', 'Max address space', '900M:1G', [`${900 * 2 ** 20}`, `${2 ** 30}`]],
  ['core', 'Max core file size', '0:1M', ['0', `${2 ** 20}`]],
  ['cpu', 'Max cpu time', '30:1m', ['30', '60']],
  ['data', 'Max data size', '900M:1GiB', [`${900 * 2 ** 20}`, `${2 ** 30}`]],
  ['fsize', 'Max file size', '1000000:2000000', ['1000000', '2000000']],
  ['locks', 'Max file locks', '10:20', ['10', '20']],
  ['memlock', 'Max locked memory', '4096:8192', ['4096', '8192']],
  ['msgqueue', 'Max msgqueue size', '1000:2000', ['1000', '2000']],
  ['nice', 'Max nice priority', '0', ['0', '0']],
  ['nofile', 'Max open files', '40:50', ['40', '50']],
  ['nproc', 'Max processes', '3000:4000', ['3000', '4000']],
  ['rss', 'Max resident set', '1M:2M', [`${2 ** 20}`, `${2 ** 21}`]],
  ['rtprio', 'Max realtime priority', '0', ['0', '0']],
  ['rttime', 'Max realtime timeout', '500ms:1s', ['500000', '1000000']],
  ['sigpending', 'Max pending signals', '100:200', ['100', '200']],
  ['stack', 'Max stack size', '1M:2M', [`${2 ** 20}`, `${2 ** 21}`]],
];

const inside = async (options: string[], through?: string[]) => {
  const result = await run(t, job('inherited.py'), { options, ...(through && { through }) });
  return {
    ...result,
    limits: result.code === 0 ? (JSON.parse(result.stdout).limits as Record<string, [string, string]>) : {},
  };
};

t.test('all 16 limits at once are seen from inside, soft and hard', async (t) => {
  const { limits, stderr } = await inside(LIMITS.flatMap(([name, , value]) => ['--rlimit', `${name}=${value}`]));
  t.equal(LIMITS.length, 16);
  for (const [name, row, , expected] of LIMITS) t.strictSame(limits[row], expected, name);
  t.match(stderr, /nofile=40:50 \(rlimit\)/, 'and the start line names them');
});

t.test('a limit that is not named stays as it was', async (t) => {
  const { limits } = await inside(['--rlimit', 'nofile=40:50']);
  const bare = JSON.parse(
    spawnSync(job('inherited.py')[0]!, job('inherited.py').slice(1), { encoding: 'utf8', env: plainEnvironment() })
      .stdout,
  ).limits;
  t.strictSame({ ...limits, 'Max open files': null }, { ...bare, 'Max open files': null });
});

t.test('only the soft half, only the hard half', async (t) => {
  const through = ['bash', '-c', 'ulimit -Sn 100; ulimit -Hn 200; exec "$@"', 'bash'];
  t.strictSame((await inside(['--rlimit', 'nofile=50:'], through)).limits['Max open files'], ['50', '200']);
  t.strictSame((await inside(['--rlimit', 'nofile=:150'], through)).limits['Max open files'], ['100', '150']);
  t.strictSame(
    (await inside(['--rlimit', 'nofile=:60'], through)).limits['Max open files'],
    ['60', '60'],
    'soft follows',
  );
  t.strictSame(
    (await inside(['--rlimit', 'nofile=150:'], through)).limits['Max open files'],
    ['150', '200'],
    'raised up to hard',
  );
});

t.test('comma-separated, repeated and from the environment; the last one of a resource counts', async (t) => {
  const result = await run(t, job('inherited.py'), {
    options: ['--rlimit', 'nofile=40:50,core=0', '--rlimit', 'nofile=30:31'],
    env: { PBOX_RLIMIT: 'fsize=1M,nofile=20:21' },
  });
  const { limits } = JSON.parse(result.stdout);
  t.strictSame(limits['Max open files'], ['30', '31']);
  t.strictSame(limits['Max core file size'], ['0', '0']);
  t.strictSame(limits['Max file size'], ['1048576', '1048576']);
});

t.test('limits are in force for children, and not for the wrapper and the keeper', async (t) => {
  const running = start(t, ['sh', '-c', 'sh -c "ulimit -n; echo up; sleep 100"; :'], {
    options: ['--rlimit', 'nofile=33:44'],
  });
  await running.says('up');
  t.match(running.stdout(), /^33\n/);
  for (const pid of [running.pid, running.keeperPid()]) {
    t.notMatch(readFileSync(`/proc/${pid}/limits`, 'utf8'), /Max open files\s+33\s+44/);
  }
  t.equal(processState(running.keeperPid())?.comm, 'proc_box-keeper');
  await running.end();
});

t.test('raising a hard limit works with CAP_SYS_RESOURCE and is refused with a clear line without', async (t) => {
  const through = ['sh', '-c', 'ulimit -n 100; exec "$@"', 'bash'];
  const { code, stderr, limits, stdout } = await inside(['--rlimit', 'nofile=150:200'], through);
  if (mayRaise()) {
    t.strictSame(limits['Max open files'], ['150', '200']);
    return;
  }
  t.equal(code, 125);
  t.equal(stdout, '');
  t.equal(
    stderr,
    'proc_box: error: set --rlimit nofile=150:200: EPERM; raising a hard limit needs CAP_SYS_RESOURCE; `prlimit --nofile` shows the highest that is allowed\n',
  );
});

t.test(
  'raising is refused to an ordinary user',
  { skip: process.getuid?.() === 0 ? false : 'needs root to become another user' },
  async (t) => {
    const through = [
      'setpriv',
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      'sh',
      '-c',
      'ulimit -n 100; exec "$@"',
      'bash',
    ];
    const { code, stderr } = await inside(['--rlimit', 'nofile=150:200'], through);
    t.equal(code, 125);
    t.match(stderr, /set --rlimit nofile=150:200: EPERM; raising a hard limit needs CAP_SYS_RESOURCE/);
  },
);

t.test('a job over its CPU limit is told so', async (t) => {
  const running = start(t, ['sh', '-c', 'while :; do :; done'], { options: ['--rlimit', 'cpu=1', '--report'] });
  const { code, stderr } = await running.done;
  t.ok(code === 152 || code === 137, `status ${code}`);
  t.match(stderr, /cpu/);
});

t.test('a file that is too large ends the job with SIGXFSZ', async (t) => {
  t.equal(
    (
      await run(t, ['sh', '-c', 'exec head -c 5000 /dev/zero > /tmp/proc_box-test-xfsz.$$; '], {
        options: ['--rlimit', 'fsize=4096'],
      })
    ).code,
    153,
  );
  spawnSync('sh', ['-c', 'rm -f /tmp/proc_box-test-xfsz.*']);
});

function mayRaise(): boolean {
  const effective = /^CapEff:\s+([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0';
  return (BigInt(`0x${effective}`) & (1n << 24n)) !== 0n;
}

t.test('an explicit best-effort runs the job with what is allowed, and says so', async (t) => {
  const lowered = ['prlimit', '--nofile=100:150', '--core=0:4096', 'setpriv', '--bounding-set', '-sys_resource', '--'];
  const show = ['sh', '-c', 'ulimit -Sn; ulimit -Hn; ulimit -Sc'];
  const cut = (options: string[], env = {}) => run(t, show, { options, through: lowered, env });
  for (const [rlimit, output, warning] of [
    [
      'nofile=180:200',
      '150\n150\n8\n',
      /warn: --rlimit nofile=180:200 is cut to 150:150: raising a hard limit above 150 needs/,
    ],
    ['nofile=120:200', '120\n150\n8\n', /--rlimit nofile=120:200 is cut to 120:150/],
    ['nofile=:200', '100\n150\n8\n', /--rlimit nofile=:200 is cut to :150/],
    ['nofile=180:', '150\n150\n8\n', /--rlimit nofile=180: is cut to 150:/],
    ['nofile=unlimited', '150\n150\n8\n', /--rlimit nofile=unlimited:unlimited is cut to 150:150/],
    ['core=unlimited,nofile=110:120', '110\n120\n8\n', /--rlimit core=unlimited:unlimited is cut to 4096:4096/],
  ] as const) {
    const { code, stdout, stderr } = await cut(['--enforce', 'best-effort', '--rlimit', rlimit]);
    t.equal(code, 0, rlimit);
    t.match(stderr, warning);
    t.match(stdout.split('\n').slice(0, 2), output.split('\n').slice(0, 2), rlimit);
  }
  t.match(await cut(['--rlimit', 'nofile=200'], { PBOX_ENFORCE: 'best-effort' }), { code: 0, stdout: /^150\n150\n/ });
  const allowed = await cut(['--enforce', 'best-effort', '--rlimit', 'nofile=90:100']);
  t.match(allowed, { code: 0, stdout: /^90\n100\n/ });
  t.notMatch(allowed.stderr, /warn/);
  for (const options of [[], ['--enforce', 'strict']]) {
    const refused = await cut([...options, '--rlimit', 'nofile=200']);
    t.equal(refused.code, 125);
    t.match(refused.stderr, /set --rlimit nofile=200:200: EPERM/);
  }
});
