/**
 * npm run test:package: makes the packages twice, and installs, uses, upgrades and removes them in throw-away systems.
 *
 *   npm run test:package                       every step, in about 10 minutes
 *   npm run test:package -- debian-13 tarball  only these
 *   npm run test:package -- --record           also writes the figures into docs/install.md
 *
 * Needs root and Debian. The systems are debootstrap's Debian 12 and 13, without compiler and network (clean-root.sh), kept in
 * $PROC_BOX_CACHE, by default ~/.cache/proc_box; for the units their own systemd is process 1 (systemd-root.sh). test/installed/ has what runs
 * in them. A step that cannot run here says why, and counts as failed. Exit status: 0 if all is ok.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir, release } from 'node:os';
import { join } from 'node:path';
import { ensureDebian, ensureNpm, root, run, say } from './setup.mjs';

const MIRROR = 'http://deb.debian.org/debian';
const cache = process.env.PROC_BOX_CACHE || join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'proc_box');
/** Each step with the kinds of packages that it needs. */
const STEPS = {
  reproducible: { run: reproducible, kinds: ['deb', 'rpm', 'tarball', 'npm'] },
  lint: { run: lint, kinds: ['deb', 'rpm'] },
  'debian-12': { run: (input) => debian(input, 'bookworm', [], true), kinds: ['deb'] },
  'debian-13': { run: (input) => debian(input, 'trixie', ['nodejs'], false), kinds: ['deb'] },
  tarball: { run: (input) => inRoot(input, 'bookworm', [], ['tarball.sh', '/packages/1']), kinds: ['tarball'] },
  rpm: { run: rpm, kinds: ['rpm'] },
  npm: { run: npmPackage, kinds: ['npm'] },
  'systemd-12': { run: (input) => systemd(input, 'bookworm', [], true), kinds: ['deb'] },
  'systemd-13': { run: (input) => systemd(input, 'trixie', ['nodejs', 'needrestart'], false), kinds: ['deb'] },
};
const LAUNCHES = 41;
/** Those of which the steps install a second release over the first. */
const TWICE = ['deb', 'rpm'];

/** What lintian and rpmlint say that is meant so. */
const MEANT = [
  /statically-linked-binary/, // the keeper must not follow the job's libraries
  /unstripped-binary|position-independent-executable|calls-gethostbyname|embedded-library|hardening-no/, // Node, as its project builds it
  /proc-box-node: (?:copyright-|old-fsf-address)/, // the licence of Node, as its project words it
  /member (?:control|data)\.tar\.zst not/, // Debian's dpkg has read it since Debian 12, which lintian of that time does not know
  /missing-dep-for-interpreter node/, // nodejs or proc-box-node
  /maintainer-script-calls-systemctl|dangerous-command-in-/, // the same script for dpkg and rpm; only where systemd runs
  /recursive-privilege-change/, // purge: what the site wrote stays, and its owner goes
  /initial-upload-closes-no-bugs/, // not an upload to Debian
  /requires-on-release/, // the collector's bundles fit one build of proc-box
  /no-signature|no-packager-tag|no-group-tag|invalid-license|manpage-not-compressed/, // habits of single distributions
  /no-manual-page-for-binary|no-dependency-on/, // mistaken: the pages are there, and "locales-box" is nothing
  /env-script-interpreter|devel-file-in-non-devel-package|files-duplicate/, // scripts and sources for the site
];

const chosen = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const unknown = chosen.find((name) => !(name in STEPS));
const work = mkdtempSync('/var/tmp/proc_box-test-package-');
process.on('exit', () => rmSync(work, { recursive: true, force: true }));
try {
  if (unknown !== undefined) throw new Error(`no step ${unknown}; there are ${Object.keys(STEPS).join(', ')}`);
  process.exitCode = await main();
} catch (error) {
  say(`test:package: ${error.message}`);
  process.exitCode = 1;
}

async function main() {
  ensureNpm();
  ensureDebian(['debootstrap', 'rpm', 'binutils', 'lintian', 'rpmlint', 'mandoc'], { optional: true });
  const packages = join(work, 'packages');
  const steps = Object.entries(STEPS).filter(([name]) => chosen.length === 0 || chosen.includes(name));
  const kinds = [...new Set(steps.flatMap(([, step]) => step.kinds))];
  makePackages(root, join(packages, '1'), '1', kinds);
  const again = kinds.filter((kind) => TWICE.includes(kind));
  if (again.length > 0) makePackages(root, join(packages, '2'), '2', again);
  const results = [];
  for (const [name, step] of steps) {
    say(`${name} ...`);
    const began = performance.now();
    const lines = await linesOf(step.run, { packages });
    results.push({ name, lines, seconds: Math.round((performance.now() - began) / 1000) });
    for (const line of lines) process.stdout.write(`${name}: ${line}\n`);
  }
  const all = results.flatMap(({ lines }) => lines);
  const failed = all.filter((line) => line.startsWith('not ok')).length;
  process.stdout.write(`${all.filter((line) => line.startsWith('ok')).length} passed, ${failed} failed\n`);
  if (process.argv.includes('--record')) record(results, packages);
  return failed > 0 ? 1 : 0;
}

async function linesOf(step, input) {
  try {
    return await step(input);
  } catch (error) {
    return [`not ok: it cannot run: ${error.message.replaceAll(/\s+/g, ' ')}`];
  }
}

function makePackages(checkout, out, number, kinds, env = {}) {
  const words = [join(checkout, 'scripts/package/package.mjs'), `--out=${out}`, `--release=${number}`, ...kinds];
  run(process.execPath, words, { cwd: checkout, stdio: ['ignore', 'ignore', 2], env: { ...process.env, ...env } });
}

/** The same sources in another folder, compiled there, with another umask, give the same bytes. */
function reproducible({ packages }) {
  const copy = join(work, 'another', 'checkout');
  const { stdout } = spawnSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], { cwd: root, encoding: 'utf8' });
  for (const name of stdout.split('\0').filter((name) => name !== '' && existsSync(join(root, name))))
    cpSync(join(root, name), join(copy, name));
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  const { stdout: seconds } = spawnSync('git', ['log', '-1', '--format=%ct'], { cwd: root, encoding: 'utf8' });
  const out = join(work, 'again');
  makePackages(copy, out, '1', STEPS.reproducible.kinds, {
    SOURCE_DATE_EPOCH: process.env.SOURCE_DATE_EPOCH ?? seconds.trim(),
    TZ: 'Asia/Tokyo',
  });
  return readdirSync(out).map((name) => {
    const same = readFileSync(join(out, name)).equals(readFileSync(join(packages, '1', name)));
    return `${same ? 'ok' : 'not ok'}: ${name} of a second build in another folder is byte-for-byte identical`;
  });
}

function lint({ packages }) {
  const folder = join(packages, '1');
  const files = (end) =>
    readdirSync(folder)
      .filter((name) => name.endsWith(end))
      .map((name) => join(folder, name));
  return [
    said('lintian', ['--no-tag-display-limit', '--allow-root', ...files('.deb')], /^[EW]: .*/gm),
    said('rpmlint', files('.rpm'), /^.*: [EW]: .*/gm),
  ];
}

/** Errors and warnings of a program that are not among the MEANT. */
function said(program, args, pattern) {
  const { error, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (error) return `not ok: ${program}: ${error.message}`;
  const lines = `${stdout}${stderr}`.match(pattern) ?? [];
  const left = lines.filter((line) => !MEANT.some((one) => one.test(line)));
  return left.length === 0
    ? `ok: ${program} reports only ${lines.length} expected findings`
    : `not ok: ${program}: ${left.slice(0, 12).join(' | ')}`;
}

function debian(input, suite, extra, withNode) {
  const words = ['debian.sh', '/packages/1', '/packages/2', ...(withNode ? ['node'] : [])];
  return inRoot(input, suite, extra, words);
}

/** Runs a script of test/installed in a copy of a Debian. */
function inRoot(input, suite, extra, [script, ...words]) {
  return isolated([rootWith(input, suite, extra), '/bin/sh', `/packages/installed/${script}`, ...words]);
}

/** The same as a service of that Debian's systemd. */
function systemd(input, suite, extra, withNode) {
  const copy = rootWith(input, suite, ['systemd', 'systemd-sysv', ...extra]);
  const command = [
    '/bin/sh',
    '/packages/installed/systemd.sh',
    '/packages/1',
    '/packages/2',
    ...(withNode ? ['node'] : []),
  ];
  const { status, stdout, stderr } = spawnSync(join(root, 'scripts/dev/systemd-root.sh'), [copy, ...command], {
    encoding: 'utf8',
    timeout: 900_000,
  });
  return reported(stdout, stderr, status);
}

/** A copy of a Debian, which has the packages and the scripts of test/installed at /packages. */
function rootWith({ packages }, suite, extra) {
  const copy = copyOf(suite, extra);
  mkdirSync(join(copy, 'packages'));
  for (const number of readdirSync(packages))
    cpSync(join(packages, number), join(copy, 'packages', number), { recursive: true });
  cpSync(join(root, 'test/installed'), join(copy, 'packages/installed'), { recursive: true });
  return copy;
}

function rpm({ packages }) {
  const copy = copyOf('bookworm', []);
  const words = [copy, join(packages, '1'), join(packages, '2')];
  return isolated(['--outside', copy, '/bin/sh', join(root, 'test/installed/rpm.sh'), ...words]);
}

/** A copy of the cached root, which debootstrap has made. */
function copyOf(suite, extra) {
  const kept = join(cache, `root-${[suite, ...extra].join('-')}`);
  if (!existsSync(kept)) {
    say(`Creating a Debian ${suite} ...`);
    const fresh = mkdtempSync(join(cache, 'root-new-'));
    run(
      'debootstrap',
      ['--variant=minbase', `--include=${['ca-certificates', ...extra].join(',')}`, suite, fresh, MIRROR],
      {
        stdio: ['ignore', 'ignore', 2],
      },
    );
    renameSync(fresh, kept);
  }
  const copy = join(mkdtempSync(join(work, 'root-')), 'root');
  run('cp', ['-a', kept, copy]);
  // mkdtemp's mode would shut every user but root out.
  chmodSync(copy, 0o755);
  return copy;
}

function isolated(words) {
  const unshare = ['--mount', '--net', '--pid', '--fork', '--kill-child'];
  const command = [...unshare, join(root, 'scripts/dev/clean-root.sh'), ...words];
  const { status, stdout, stderr } = spawnSync('unshare', command, { encoding: 'utf8', timeout: 900_000 });
  return reported(stdout, stderr, status);
}

/** The lines of a script of test/installed. */
function reported(stdout, stderr, status) {
  const lines = stdout.split('\n').filter((line) => /^(?:ok|not ok|figure): /.test(line));
  const ended = status === 0 || lines.some((line) => line.startsWith('not ok'));
  if (lines.length > 0 && ended) return lines;
  return [
    ...lines,
    `not ok: the script ended with ${status}: ${`${stdout}${stderr}`.slice(-500).replaceAll('\n', ' | ')}`,
  ];
}

/** npm without install scripts and without a registry, under each of npm's own places for a global package. */
function npmPackage({ packages }) {
  const prefix = join(work, 'npm');
  mkdirSync(prefix);
  const [archive] = readdirSync(join(packages, '1')).filter((name) => name.endsWith('.npm.tgz'));
  const install = [
    'install',
    '--global',
    '--prefix',
    prefix,
    '--ignore-scripts',
    '--offline',
    join(packages, '1', archive),
  ];
  const installed = spawnSync('npm', [...install, '--no-audit', '--no-fund'], { encoding: 'utf8' });
  if (installed.status !== 0) return [`not ok: npm ${install.join(' ')}: ${installed.stderr.slice(-500)}`];
  const job = spawnSync(join(prefix, 'bin/proc_box'), ['--uri', 'none', '--quiet', '--', 'echo', 'job'], {
    encoding: 'utf8',
  });
  const check = spawnSync(join(prefix, 'bin/proc_box'), ['check', '--uri', 'none'], { encoding: 'utf8' });
  return [
    'ok: npm install --ignore-scripts --offline',
    job.stdout === 'job\n' ? 'ok: a boxed job' : `not ok: a boxed job: ${job.stderr}`,
    /^PASS *code cache/m.test(check.stdout)
      ? 'ok: the first start created the code cache'
      : `not ok: no code cache: ${check.stdout.match(/^.*code cache.*$/m)?.[0]}`,
    `figure: launch ${launches(join(prefix, 'bin/proc_box'))}`,
  ];
}

/** The medians of a box around /bin/true from the package and from the checkout, in turn, so that both meet the same noise. */
function launches(installed) {
  const programs = { package: installed, checkout: join(root, 'bin/proc_box') };
  const times = { package: [], checkout: [] };
  for (let round = 0; round < LAUNCHES; round++)
    for (const [name, program] of Object.entries(programs)) {
      const began = performance.now();
      spawnSync(program, ['--config', 'none', '--uri', 'none', '--quiet', '--', '/bin/true'], { stdio: 'ignore' });
      times[name].push(performance.now() - began);
    }
  const medians = Object.entries(times).map(
    ([name, all]) => `${all.sort((a, b) => a - b)[LAUNCHES >> 1].toFixed(1)} ms from the ${name}`,
  );
  return medians.join(' and ');
}

/** Writes what was found between two marks of docs/install.md. What other runs have found stays. */
function record(results, packages) {
  const path = join(root, 'docs/install.md');
  const page = readFileSync(path, 'utf8');
  const [all, begin, before, end] = /(<!-- test:package -->\n)([\s\S]*)(<!-- end -->)/.exec(page);
  const date = new Date().toISOString().slice(0, 10);
  const folder = join(packages, '1');
  const sizes = readdirSync(folder).map((name) => [
    `\`${name}\``,
    `${(statSync(join(folder, name)).size / 2 ** 20).toFixed(2)} MiB`,
  ]);
  const rows = results.map(({ name, lines, seconds }) => {
    const count = (mark) => lines.filter((line) => line.startsWith(`${mark}: `)).length;
    const figures = lines
      .filter((line) => /^figure: (?:install|upgrade|launch) /.test(line))
      .map((line) => line.slice('figure: '.length));
    return [name, date, `${count('ok')} passed, ${count('not ok')} failed`, figures.join(', '), `${seconds} s`];
  });
  const text = [
    `Last run with Linux ${release()} and Node ${process.version}:`,
    '',
    ...table(['package', 'size'], sizes, before),
    '',
    ...table(['step', 'date', 'result', 'figures', 'took'], rows, before),
    '',
  ].join('\n');
  writeFileSync(path, page.replace(all, `${begin}${text}${end}`));
}

/** New rows, and those of the same width in the text before that have another first cell. */
function table(head, rows, before) {
  const old = [...before.matchAll(/^\| (.*) \|$/gm)]
    .map(([, row]) => row.split(' | '))
    .filter(
      (cells) => cells.length === head.length && cells[0] !== head[0] && !rows.some(([name]) => name === cells[0]),
    );
  const lines = [...old, ...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map((cells) => `| ${cells.join(' | ')} |`);
  return [`| ${head.join(' | ')} |`, `|${'---|'.repeat(head.length)}`, ...lines];
}
