'use strict';
// What boot.cjs does where this installation is broken: the native part cannot be loaded, or a bundle is missing. The front
// end is told, and launches the job without us where --failure open allows that; then we tell the broker, where enough of
// the installation is left. Plain Node: nothing of ours can be relied upon.
const { closeSync, fstatSync, openSync, readFileSync, writeSync } = require('node:fs');
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

/** Of the native part what bundles need that are loaded without it; native/index.d.ts. */
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

/** @param loadBundle that of boot.cjs; what it loads may be what is broken */
exports.run = (error, loadBundle) => {
  const remedy = error.remedy ?? 'run "npm rebuild proc_box", or install it again';
  const why = `${String(error.message).split('\n', 1)[0].slice(0, WHY_MAX)}; ${remedy}`;
  const head = Buffer.alloc(MESSAGE_BYTES);
  head.writeUInt32LE(MESSAGE_UNABLE, 0);
  writeSync(FRONT_FD, Buffer.concat([head, Buffer.from(why)]));
  // Nothing of this installation can read what a keeper of another version says. Not process.exit: it aborts where the native
  // part is on the stack.
  if (error.remedy !== undefined) process.kill(process.pid, 'SIGKILL');
  // The front end passes them to the job, or ends.
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

/** The event, where enough of the installation is left. Never rejects. */
async function tell(loadBundle, notice) {
  try {
    await loadBundle('notice').tellUnboxed({ ...notice, loadYaml: () => loadBundle('yaml') });
  } catch {
    // The bundle is what is missing; stderr has the reason.
  }
}

function parseHello(hello) {
  const [argc, settings, , fallback, failsOpen] = [16, 20, 24, 28, 32].map((at) => hello.readUInt32LE(at));
  const strings = hello.subarray(HELLO_HEAD_BYTES).toString('utf8').split('\0');
  const adopts = strings[argc + settings] === 'adopt';
  return {
    // Adopted processes run anyway; a job does only where the front end knows its command: front.cc.
    runs: failsOpen !== 0 && (fallback !== 0 || adopts),
    words: adopts ? strings.slice(2, argc) : strings.slice(1, fallback - 1),
    settings: strings.slice(argc, argc + settings),
  };
}
