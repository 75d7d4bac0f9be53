'use strict';
// boot.cjs runs this file if the installation is broken: the native part cannot be loaded, or a bundle is missing. It tells
// the front end, which launches the job without a box if --failure open allows that. It then tells the broker, if enough of
// the installation is left. It is plain Node code because nothing else of the package can be relied upon.
const { closeSync, existsSync, fstatSync, openSync, readFileSync, writeSync } = require('node:fs');
const { dirname } = require('node:path');
const { Socket } = require('node:net');

/** native/src/wire/channel.h */
const FRONT_FD = 4;
const MESSAGE_UNABLE = 4;
const MESSAGE_BYTES = 24;
const WHY_MAX = 900;
/** native/src/wire/protocol.h */
const KEEPER_FD = 3;
const EVENT_HELLO = 64;
const FRAME_HEAD_BYTES = 12;
const HELLO_HEAD_BYTES = 40;

/** Stands in for the parts of the native addon (native/index.d.ts) that the bundles loaded here need. */
exports.files = {
  readText(path) {
    const file = exports.files.readFile(path, Number.POSITIVE_INFINITY);
    return typeof file === 'string' ? null : file.bytes.toString('latin1');
  },
  readFile(path, maxBytes) {
    try {
      const fd = openSync(path);
      try {
        const { mode, uid } = fstatSync(fd);
        const bytes = readFileSync(fd);
        return bytes.length > maxBytes ? 'EFBIG' : { bytes, mode: mode & 0o7777, uid };
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      return error.code;
    }
  },
};

/** @param loadBundle from boot.cjs; the bundle that it loads may be the broken part */
exports.run = (error, loadBundle) => {
  const remedy = error.remedy ?? rebuild();
  const why = `${String(error.message).split('\n', 1)[0].slice(0, WHY_MAX)}; ${remedy}`;
  const head = Buffer.alloc(MESSAGE_BYTES);
  head.writeUInt32LE(MESSAGE_UNABLE, 0);
  writeSync(FRONT_FD, Buffer.concat([head, Buffer.from(why)]));
  // This installation cannot understand a keeper of another version. process.exit() would abort while the native part is on
  // the stack, so Node kills itself.
  if (error.remedy !== undefined) process.kill(process.pid, 'SIGKILL');
  // The front end handles these signals: it passes them to the job, or ends.
  for (const name of ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGUSR2', 'SIGTSTP']) process.on(name, () => {});
  const socket = new Socket({ fd: KEEPER_FD, readable: true, writable: true });
  let inbox = Buffer.alloc(0);
  socket.on('error', () => process.exit(1));
  socket.on('close', () => process.exit(1));
  socket.on('data', (chunk) => {
    inbox = Buffer.concat([inbox, chunk]);
    if (inbox.length < FRAME_HEAD_BYTES || inbox.length < FRAME_HEAD_BYTES + inbox.readUInt32LE(0)) return;
    socket.pause();
    const hello = parseHello(inbox.subarray(FRAME_HEAD_BYTES, FRAME_HEAD_BYTES + inbox.readUInt32LE(0)));
    if (inbox.readUInt16LE(4) !== EVENT_HELLO || !hello.runs) process.exit(1);
    void tell(loadBundle, { ...hello, environment: process.env, why }).then(() => process.exit(1));
  });
};

/** As in src/cli/check/remedies.ts: npm 12 runs no install script without being asked, not even for `npm rebuild`. */
function rebuild() {
  const root = dirname(__dirname);
  const again = { deb: 'apt-get install --reinstall proc-box', rpm: 'dnf reinstall proc-box' };
  const kind = exports.files.readText(`${root}/package-kind`)?.trim();
  if (kind === 'tarball') return 'unpack the tarball again';
  const build = `${process.execPath} ${root}/scripts/build/${existsSync(`${root}/src`) ? 'build.mjs' : 'install.mjs'}`;
  return `run "${again[kind] ?? build}", or install it again`;
}

/** Publishes the event if enough of the installation is left. Never rejects. */
async function tell(loadBundle, notice) {
  try {
    await loadBundle('notice').tellUnboxed({ ...notice, loadYaml: () => loadBundle('yaml') });
  } catch {
    // The bundle itself is missing. Stderr already has the reason.
  }
}

function parseHello(hello) {
  const [argc, settings, , fallback, failsOpen] = [16, 20, 24, 28, 32].map((at) => hello.readUInt32LE(at));
  const strings = hello.subarray(HELLO_HEAD_BYTES).toString('utf8').split('\0');
  const adopts = strings[argc + settings] === 'adopt';
  return {
    // An adopted process runs anyway. A job runs only if the front end knows where its command begins: front.cc.
    runs: failsOpen !== 0 && (fallback !== 0 || adopts),
    words: adopts ? strings.slice(2, argc) : strings.slice(1, fallback - 1),
    settings: strings.slice(argc, argc + settings),
  };
}
