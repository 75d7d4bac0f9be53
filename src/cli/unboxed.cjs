'use strict';
// What boot.cjs does where this installation is broken: the native part cannot be loaded, or a bundle is missing. With
// --failure open the keeper, which is a program of its own, starts the job all the same, without limits, statistics and
// remote control; else the job does not start. Plain Node: nothing of ours can be relied upon.
const { closeSync, fstatSync, openSync, readFileSync } = require('node:fs');
const { constants } = require('node:os');
const { Socket } = require('node:net');

/** native/src/protocol.h */
const REQUEST = { start: 1, signal: 2, kill: 3 };
const EVENT = { hello: 64, failed: 66, exited: 67, empty: 68 };
const FRAME_HEAD_BYTES = 12;
const HELLO_HEAD_BYTES = 24;
const EXEC_STEP = 8;
const FAILED = 125;
/** docs/exit-status.md; there are no samples that SIGHUP could ask for, so it is only kept from ending us. */
const FORWARDED = ['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH', 'SIGTSTP', 'SIGCONT'];

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
  const why = String(error.message).split('\n', 1)[0];
  const socket = new Socket({ fd: 3, readable: true, writable: true });
  let inbox = Buffer.alloc(0);
  /** The keeper's, which an upgrade may have left behind: what is said here is the same in all of them. */
  let version = 0;
  let outcome = { status: FAILED, signal: 0 };
  let reraise = false;
  let told = Promise.resolve();
  const request = (type, body) => {
    const frame = Buffer.alloc(FRAME_HEAD_BYTES + body.length);
    frame.writeUInt32LE(body.length, 0);
    frame.writeUInt16LE(type, 4);
    frame.writeUInt16LE(version, 6);
    body.copy(frame, FRAME_HEAD_BYTES);
    socket.write(frame);
  };
  const end = () => {
    const { status, signal } = outcome;
    const name = Object.keys(constants.signals).find((key) => constants.signals[key] === signal);
    if (reraise && name !== undefined) {
      process.removeAllListeners(name);
      process.kill(process.pid, name);
    }
    process.exit(status);
  };
  const on = {
    [EVENT.hello]: (body) => {
      const { argv, settings } = parseHello(body);
      const index = commandIndex(argv, settings);
      if (index === undefined) {
        say(`${why}; the job is not started: ${error.remedy ?? 'run "npm rebuild proc_box", or install it again'}`);
        process.exit(FAILED);
      }
      say(`${why}; the job runs without a box (--failure open)`);
      reraise = process.env.PBS_JOBID !== undefined || isSaid('reraise', argv.slice(1, index), settings);
      const head = Buffer.alloc(24);
      head.writeUInt32LE(index, 0);
      request(REQUEST.start, Buffer.concat([head, Buffer.from('\0\0\0')]));
      told = tell(loadBundle, { argv, settings, environment: process.env, why });
    },
    [EVENT.failed]: (body) => {
      const [step, code] = [body.readInt32LE(0), body.readInt32LE(8)];
      say(`the job cannot be executed: errno ${code}`);
      process.exit(step !== EXEC_STEP ? FAILED : code === constants.errno.ENOENT ? 127 : 126);
    },
    [EVENT.exited]: (body) => {
      const [code, signal] = [body.readInt32LE(0), body.readInt32LE(4)];
      outcome = signal > 0 ? { status: 128 + signal, signal } : { status: code, signal: 0 };
      // The end of the main process is the end of the job.
      request(REQUEST.kill, Buffer.alloc(4));
    },
    [EVENT.empty]: () => void told.then(end),
  };
  socket.on('data', (chunk) => {
    inbox = Buffer.concat([inbox, chunk]);
    while (inbox.length >= FRAME_HEAD_BYTES && inbox.length >= FRAME_HEAD_BYTES + inbox.readUInt32LE(0)) {
      version = inbox.readUInt16LE(6);
      const end = FRAME_HEAD_BYTES + inbox.readUInt32LE(0);
      on[inbox.readUInt16LE(4)]?.(inbox.subarray(FRAME_HEAD_BYTES, end));
      inbox = inbox.subarray(end);
    }
  });
  socket.on('error', () => process.exit(outcome.status));
  socket.on('close', () => process.exit(outcome.status));
  process.on('SIGHUP', () => {});
  for (const name of FORWARDED) {
    process.on(name, () => {
      const body = Buffer.alloc(8);
      body.writeInt32LE(constants.signals[name], 0);
      request(REQUEST.signal, body);
    });
  }
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
  const argc = hello.readUInt32LE(16);
  const words = hello.subarray(HELLO_HEAD_BYTES).toString('utf8').split('\0');
  return { argv: words.slice(0, argc), settings: words.slice(argc).filter(Boolean) };
}

/** Where the command is, if it may run without a box: options cannot be read in here, so `--` has to say it. */
function commandIndex(argv, settings) {
  const end = argv.indexOf('--');
  if (end < 0 || end + 1 >= argv.length) return undefined;
  const said = /--?failure[= ](\w+)/.exec(argv.slice(1, end).join(' '))?.[1];
  const open = said === undefined ? settings.includes('PBOX_FAILURE=open') : said === 'open';
  return open ? end + 1 : undefined;
}

/** A boolean option, as far as it can be understood. */
function isSaid(name, options, settings) {
  const said = options.findLast((word) => new RegExp(`^--?${name}(=|$)`).test(word));
  if (said !== undefined) return !/=(false|0|f)$/i.test(said);
  return settings.some((entry) => new RegExp(`^PBOX_${name.toUpperCase()}=(true|1|t)$`, 'i').test(entry));
}

function say(message) {
  process.stderr.write(`proc_box: error: ${message}\n`);
}
