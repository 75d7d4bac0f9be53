/**
 * What each package holds. A row is `{ from, to }`: `from` names files of the checkout, or made files if it begins with `made/`
 * (manual pages, completion); it may end in `*`, `*.cjs` and so on, or in `/`, which means everything below. `to` is the folder, or
 * the file if it does not end in `/`. `link` makes a symbolic link at `to`; `gzip` compresses the file and adds `.gz` to its name.
 */

/** Where the program lies in an installed system. The tarball has the same tree in a folder of its own. */
export const PREFIX = '/usr/lib/proc_box';
const DOC = '/usr/share/doc';

/** Bundles that a compute node does not need; the package of the collector has them. */
const OF_COLLECTOR = ['dist/collector.cjs', 'dist/otel.cjs', 'dist/page/'];

/** @typedef {{ from?: string, link?: string, to: string, mode?: number, except?: string[], config?: true, gzip?: true, edit?: (text: string) => string }} Row */

/** The program. Paths are relative to its folder. @type {Row[]} */
export const PROGRAM = [
  { from: 'bin/proc_box', to: 'bin/', mode: 0o755 },
  { from: 'dist/*.cjs', to: 'dist/', except: OF_COLLECTOR },
  { from: 'dist/*.js', to: 'dist/' },
  { from: 'dist/THIRD-PARTY-LICENSES.txt', to: 'dist/' },
  { from: 'native/build/Release/cgroup_utils_native.node', to: 'native/build/Release/', mode: 0o644 },
  { from: 'native/index.js', to: 'native/' },
  { from: 'native/package.json', to: 'native/' },
  { from: 'native/node-flags.txt', to: 'native/' },
  { from: 'scripts/build/code-cache.mjs', to: 'scripts/build/' },
  { from: 'scripts/build/code-cache-hook.cjs', to: 'scripts/build/' },
  { from: 'scripts/site/', to: 'scripts/site/' },
  { from: 'scripts/package/scriptlets/renew-code-cache', to: './', mode: 0o755 },
  { from: 'LICENSE', to: './' },
];

/** Manual pages and completion, relative to /usr/share or to share/ of the tarball. @type {Row[]} */
export const SHARED = [
  { from: 'made/man1/*.1', to: 'man/man1/', gzip: true },
  { from: 'made/man5/*.5', to: 'man/man5/', gzip: true },
  { from: 'made/man7/*.7', to: 'man/man7/', gzip: true },
  { from: 'made/completion/proc_box.bash', to: 'bash-completion/completions/proc_box' },
  // Debian's folder for completion that packages bring; stage() knows rpm's.
  { from: 'made/completion/_proc_box', to: 'zsh/vendor-completions/_proc_box' },
  { from: 'made/completion/proc_box.fish', to: 'fish/vendor_completions.d/proc_box.fish' },
];

/** @param {string} text of a unit that starts npm's proc_box */
const fromPackage = (text) => text.replaceAll('/usr/local/bin/proc_box', '/usr/bin/proc_box');
const AGENT = 'scripts/site/agent';
const COLLECTOR = 'scripts/site/collector';

/** Links, units and configuration. @type {Row[]} */
const SYSTEM = [
  { link: '../lib/proc_box/bin/proc_box', to: '/usr/bin/proc_box' },
  { link: '../lib/proc_box/scripts/site/pbs/qsub-box', to: '/usr/bin/qsub-box' },
  { from: `${AGENT}/proc_box-agent.service`, to: '/usr/lib/systemd/system/', edit: fromPackage },
  { from: `${AGENT}/proc_box-agent.socket`, to: '/usr/lib/systemd/system/' },
  { from: 'scripts/package/scriptlets/renew-code-cache.conf', to: '/usr/lib/systemd/system/proc_box-agent.service.d/' },
  { from: `${AGENT}/sysusers.d/proc_box.conf`, to: '/usr/lib/sysusers.d/' },
  { from: `${AGENT}/tmpfiles.d/proc_box.conf`, to: '/usr/lib/tmpfiles.d/' },
  { from: `${AGENT}/needrestart.d/proc_box.conf`, to: '/etc/needrestart/conf.d/', config: true },
  { from: `${AGENT}/agent.yaml`, to: '/etc/proc_box/', config: true },
  { from: 'scripts/package/scriptlets/needed-by', to: `${PREFIX}/`, mode: 0o755 },
];

/** @type {Row[]} */
const DOCS = [
  { from: 'README.md', to: `${DOC}/proc-box/` },
  { from: 'docs/*.md', to: `${DOC}/proc-box/docs/` },
  { from: 'docs/asyncapi.yaml', to: `${DOC}/proc-box/docs/` },
  { from: 'docs/schema/', to: `${DOC}/proc-box/docs/schema/` },
  { from: 'CHANGELOG.md', to: `${DOC}/proc-box/changelog`, gzip: true },
  { from: 'LICENSE', to: `${DOC}/proc-box/copyright` },
];

const below = (folder) => (row) => ({ ...row, to: `${folder}/${row.to}` });

/**
 * The packages in the order in which they are made. One with `when` is left out until that file exists.
 * `node` says that it carries a Node: node.mjs.
 */
export const PACKAGES = {
  'proc-box': {
    summary: 'run batch jobs in resource-limited boxes with remote control over AMQP',
    description: [
      'proc_box runs a batch job in a box: limits on memory, CPUs, processes, time and output apply to everything that the job starts, ' +
        'and no process of it is left when it ends. The box publishes what the job uses, and accepts commands for it, over AMQP (RabbitMQ). ' +
        'It works standalone, under Slurm, and under PBS.',
      'This package is for compute nodes and login nodes: the program, the node agent, and what a site needs to connect them to its ' +
        'scheduler and broker.',
    ],
    files: [...PROGRAM.map(below(PREFIX)), ...SHARED.map(below('/usr/share')), ...SYSTEM, ...DOCS],
    // Debian's alternatives, and a boolean dependency of rpm. RHEL's nodejs has an epoch.
    deb: { depends: ['nodejs (>= 20) | proc-box-node', 'passwd'] },
    rpm: { requires: ['(nodejs >= 1:20 or nodejs(engine) >= 20 or proc-box-node)', '/usr/sbin/useradd'] },
    scriptlets: 'proc-box',
  },
  'proc-box-node': {
    summary: 'Node.js for proc_box where the distribution has an older one',
    description: [
      'proc_box needs Node.js 20 or newer. This package provides one that only proc_box uses: it puts nothing on PATH, and does not affect ' +
        'the Node.js of the distribution.',
    ],
    node: `${PREFIX}/node`,
    files: [],
    deb: { depends: ['libstdc++6 (>= 8)', 'libgcc-s1'] },
    rpm: { requires: ['libstdc++.so.6()(64bit)'] },
    scriptlets: undefined,
  },
  'proc-box-collector': {
    when: 'dist/collector.cjs',
    summary: 'collector and web page for the statistics that proc_box publishes',
    description: [
      'Stores what the boxes of a site publish, and shows it on a web page. Install it on one host of the site.',
    ],
    files: [
      ...OF_COLLECTOR.map((from) => ({ from, to: `${PREFIX}/${from.endsWith('/') ? from : 'dist/'}` })),
      { from: 'node_modules/better-sqlite3/package.json', to: `${PREFIX}/node_modules/better-sqlite3/` },
      { from: 'node_modules/better-sqlite3/LICENSE', to: `${PREFIX}/node_modules/better-sqlite3/` },
      { from: 'node_modules/better-sqlite3/lib/', to: `${PREFIX}/node_modules/better-sqlite3/lib/` },
      {
        from: 'node_modules/better-sqlite3/build/Release/better_sqlite3.node',
        to: `${PREFIX}/node_modules/better-sqlite3/build/Release/`,
        mode: 0o644,
      },
      ...['bindings.js', 'package.json', 'LICENSE.md'].map((name) => ({
        from: `node_modules/bindings/${name}`,
        to: `${PREFIX}/node_modules/bindings/`,
      })),
      ...['index.js', 'package.json', 'LICENSE'].map((name) => ({
        from: `node_modules/file-uri-to-path/${name}`,
        to: `${PREFIX}/node_modules/file-uri-to-path/`,
      })),
      { from: 'docs/observe.md', to: `${DOC}/proc-box-collector/` },
      { from: 'LICENSE', to: `${DOC}/proc-box-collector/copyright` },
      { from: `${COLLECTOR}/proc_box-collector.service`, to: '/usr/lib/systemd/system/', edit: fromPackage },
      { from: `${COLLECTOR}/sysusers.d/proc_box-collector.conf`, to: '/usr/lib/sysusers.d/' },
      { from: `${COLLECTOR}/collector.conf`, to: '/etc/proc_box/', config: true },
    ],
    deb: { depends: ['proc-box (= VERSION)', 'passwd'] },
    rpm: { requires: ['proc-box = VERSION', '/usr/sbin/useradd'] },
    scriptlets: 'proc-box-collector',
  },
};
