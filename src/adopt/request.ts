import { textOf } from '../bytes.js';
import { SpecError } from '../errors.js';
import type { Environment } from '../scheduler/identity.js';

/** A request of `proc_box adopt --via`; native/src/front/via.h describes the format. */
export interface AdoptRequest {
  /** The command line, with argv[0]. */
  readonly argv: readonly string[];
  /** `PBOX_*` entries, `NAME=value`. */
  readonly settings: readonly string[];
  /** Other variables of the client, which identify the job. */
  readonly environment: Environment;
  /** `--failure open`, as the client's front end read it. */
  readonly failsOpen: boolean;
  /** The client's pid as it claims; request-server.ts replaces it by what the kernel says. */
  readonly pid: number;
  /** Until when the client waits for the answer; CLOCK_MONOTONIC, ms. */
  readonly untilMs: number;
}

const HEAD_BYTES = 24;
/** Also in native/src/front/via.cc. */
export const REQUEST_MAX_BYTES = 256 * 1024;

/**
 * Assembles a request from its chunks.
 * @returns takes the next chunk, and returns the request once it is complete; throws SpecError if it is not a request
 */
export function createRequestReader(): (chunk: Buffer) => AdoptRequest | undefined {
  const chunks: Buffer[] = [];
  let bytes = 0;
  return (chunk) => {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes < HEAD_BYTES) return undefined;
    const all = chunks.length === 1 ? chunk : Buffer.concat(chunks);
    chunks.splice(0, chunks.length, all);
    const length = all.readUInt32LE(0);
    if (length > REQUEST_MAX_BYTES) throw new SpecError(`a request of ${length} bytes: at most ${REQUEST_MAX_BYTES}`);
    if (bytes < HEAD_BYTES + length) return undefined;
    if (bytes > HEAD_BYTES + length) throw new SpecError('more than one request: expected one for each connection');
    return parse(all);
  };
}

function parse(frame: Buffer): AdoptRequest {
  const words = frame.readUInt32LE(4);
  const text = textOf(frame.subarray(HEAD_BYTES));
  const strings = text.split('\0');
  if (strings.pop() !== '' || words < 2 || words > strings.length || strings[1] !== 'adopt')
    throw new SpecError('not a request of proc_box adopt --via');
  const entries = strings.slice(words).filter((entry) => entry.includes('='));
  const isSetting = (entry: string) => entry.startsWith('PBOX_');
  return {
    argv: strings.slice(0, words),
    settings: entries.filter(isSetting),
    environment: Object.fromEntries(
      entries
        .filter((entry) => !isSetting(entry))
        .map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
    ),
    failsOpen: frame.readUInt32LE(12) !== 0,
    pid: frame.readInt32LE(8),
    untilMs: frame.readDoubleLE(16),
  };
}
