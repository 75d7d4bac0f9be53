// test-timeout: 1200s
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { temporaryFolder } from '../fixtures/run.js';
import { LONG, report } from './soak.js';

/** The C and C++ that read foreign bytes, under ASan and UBSan: for seconds in `npm test`, for minutes in `npm run soak`. */

const SECONDS = LONG ? 120 : 5;
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const NATIVE = join(root, 'native', 'src');
const SPANK = join(root, 'scripts', 'site', 'slurm', 'spank');
const FUZZ = join(root, 'test', 'soak', 'fuzz');
const SANITIZERS = 'address,undefined';
const FLAGS = ['-g', '-O1', '-fno-omit-frame-pointer', '-fno-sanitize-recover=all', '-D_GNU_SOURCE'];
const LINK = ['-no-pie', '-Wl,--unresolved-symbols=ignore-all'];

/** libFuzzer follows coverage; without it the same targets get random inputs, built by the compiler that builds the addon. */
const hasFuzzer =
  spawnSync('clang++', ['-x', 'c++', '-', '-fsanitize=fuzzer', '-o', '/dev/null'], {
    input:
      '#include <cstdint>\n#include <cstddef>\nextern "C" int LLVMFuzzerTestOneInput(const uint8_t*, size_t) { return 0; }\n',
  }).status === 0;
const BUILD = hasFuzzer
  ? { c: 'clang', cc: 'clang++', compile: `fuzzer-no-link,${SANITIZERS}`, link: `fuzzer,${SANITIZERS}`, more: [] }
  : { c: 'cc', cc: 'c++', compile: SANITIZERS, link: SANITIZERS, more: [join(FUZZ, 'random-inputs.cc')] };

interface Target {
  readonly name: string;
  /** With the language that each is in. */
  readonly sources: readonly string[];
  readonly include: string;
  readonly seeds: readonly Buffer[];
}

function u32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt32LE(value, 4 * index);
  return bytes;
}

/** A frame of the keeper's protocol, native/src/wire/protocol.h, to be cut in pieces of so many bytes. */
function frame(piece: number, body: Buffer, length = body.length): Buffer {
  return Buffer.concat([Buffer.from([piece]), u32(length, 1, 1), body]);
}

const start = Buffer.concat([
  u32(3, 1, 2, 2, 0, 0, 7, 3, 1024, 0, 4096, 0),
  Buffer.from('/a/tasks\0/b/tasks\0/c\0/d\0/e\0name\0'),
]);

const TARGETS: readonly Target[] = [
  {
    name: 'frames',
    include: NATIVE,
    sources: [
      join(FUZZ, 'frames.cc'),
      join(NATIVE, 'wire/frames.cc'),
      // Beside the reading of a request it has what carries it out, which nobody calls here, nor is linked.
      join(NATIVE, 'keeper/start.cc'),
    ],
    seeds: [
      frame(0, start),
      frame(7, start.subarray(0, 20)),
      frame(30, start, 0xffff_ffff),
      frame(3, u32(1, 0xffff_ffff, 0xffff_ffff)),
    ],
  },
  {
    name: 'spank-options',
    include: SPANK,
    sources: [join(FUZZ, 'spank-options.cc'), join(SPANK, 'options.c')],
    seeds: [
      'memory=4G,report,cpuset=0-3,5,memory-high=1G',
      ',,=,-x=1,a=,',
      `timeout=${'9'.repeat(4200)},report`,
      `${'x'.repeat(90)}=1`,
    ].map((text) => Buffer.from(text)),
  },
];

for (const { name, sources, include, seeds } of TARGETS) {
  const how = hasFuzzer ? 'libFuzzer' : 'random inputs';
  t.test(`${name}: ${SECONDS} s of ${how} find nothing`, async (t) => {
    const folder = temporaryFolder(t);
    const objects = [...sources, ...BUILD.more].map((source, index) => {
      const object = join(folder, `${index}.o`);
      const compiler = source.endsWith('.c') ? [BUILD.c] : [BUILD.cc, '-std=c++17'];
      const flags = [...FLAGS, `-fsanitize=${BUILD.compile}`, '-DPROTOCOL_CHECKSUM=1u', '-I', include];
      run([...compiler, ...flags, '-c', source, '-o', object]);
      return object;
    });
    const program = join(folder, name);
    run([BUILD.cc, ...LINK, `-fsanitize=${BUILD.link}`, ...objects, '-o', program]);
    const corpus = join(folder, 'corpus');
    mkdirSync(corpus);
    const files = seeds.map((seed, index) => {
      const file = join(corpus, `seed-${index}`);
      writeFileSync(file, seed);
      return file;
    });
    const bounds = ['-max_len=8192', '-rss_limit_mb=1024', '-timeout=10', '-print_final_stats=1'];
    const args = hasFuzzer
      ? [`-max_total_time=${SECONDS}`, ...bounds, `-artifact_prefix=${folder}/`, corpus]
      : [String(SECONDS), ...files];
    const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
    t.equal(status, 0, 'nothing was found');
    if (status !== 0) report(stderr.slice(-4_000));
    const runs = Number(/number_of_executed_units: (\d+)/.exec(stderr)?.[1]);
    t.ok(runs > 1_000, `${runs} inputs`);
    report(`fuzz ${name}: ${runs} inputs in ${SECONDS} s`);
  });
}

function run([program = '', ...args]: readonly string[]): void {
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
