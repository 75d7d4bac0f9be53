// test-timeout: 1200s
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { temporaryFolder } from '../fixtures/run.js';
import { LONG, report } from './soak.js';

/** What reads foreign bytes in C and C++, under ASan and UBSan, by libFuzzer: in the short form for seconds, then for minutes. */

const SECONDS = LONG ? 120 : 5;
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const NATIVE = join(root, 'native', 'src');
const SPANK = join(root, 'scripts', 'slurm', 'spank');
const FUZZ = join(root, 'test', 'soak', 'fuzz');
const FLAGS = [
  '-g',
  '-O1',
  '-fno-omit-frame-pointer',
  '-fsanitize=fuzzer-no-link,address,undefined',
  '-fno-sanitize-recover=all',
];
const LINK = ['-fsanitize=fuzzer,address,undefined', '-no-pie', '-Wl,--unresolved-symbols=ignore-all'];

const hasFuzzer =
  spawnSync('clang++', ['-x', 'c++', '-', '-fsanitize=fuzzer', '-o', '/dev/null'], {
    input:
      '#include <cstdint>\n#include <cstddef>\nextern "C" int LLVMFuzzerTestOneInput(const uint8_t*, size_t) { return 0; }\n',
  }).status === 0;
const skip = !hasFuzzer && 'needs clang with libFuzzer (npm run soak installs it)';

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

/** A frame of the keeper's protocol, native/src/protocol.h, to be cut in pieces of so many bytes. */
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
      join(NATIVE, 'frames.cc'),
      // Beside the reading of a request it has what carries it out, which nobody calls here, nor is linked.
      join(NATIVE, 'start.cc'),
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
  t.test(`${name}: ${SECONDS} s of libFuzzer find nothing`, { skip }, async (t) => {
    const folder = temporaryFolder(t);
    const objects = sources.map((source, index) => {
      const object = join(folder, `${index}.o`);
      const compiler = source.endsWith('.c') ? ['clang'] : ['clang++', '-std=c++17'];
      const [program, ...more] = [
        ...compiler,
        ...FLAGS,
        '-D_GNU_SOURCE',
        '-DPROTOCOL_CHECKSUM=1u',
        '-I',
        include,
        '-c',
        source,
        '-o',
        object,
      ];
      execFileSync(program!, more, { stdio: ['ignore', 'ignore', 'pipe'] });
      return object;
    });
    const program = join(folder, name);
    execFileSync('clang++', [...LINK, ...objects, '-o', program], { stdio: ['ignore', 'ignore', 'pipe'] });
    const corpus = join(folder, 'corpus');
    mkdirSync(corpus);
    for (const [index, seed] of seeds.entries()) writeFileSync(join(corpus, `seed-${index}`), seed);
    const args = [
      `-max_total_time=${SECONDS}`,
      '-max_len=8192',
      '-rss_limit_mb=1024',
      '-timeout=10',
      '-print_final_stats=1',
    ];
    const { status, stderr } = spawnSync(program, [...args, `-artifact_prefix=${folder}/`, corpus], {
      encoding: 'utf8',
    });
    t.equal(status, 0, 'nothing was found');
    if (status !== 0) report(stderr.slice(-4_000));
    const runs = Number(/number_of_executed_units: (\d+)/.exec(stderr)?.[1]);
    t.ok(runs > 1_000, `${runs} inputs`);
    report(`fuzz ${name}: ${runs} inputs in ${SECONDS} s`);
  });
}
