import { textOf } from '../bytes.js';
import { SpecError } from '../errors.js';
import type { Environment } from '../scheduler/identity.js';

/** What `proc_box adopt --via` sends; native/src/front/via.h has the format. */
export interface AdoptRequest {
  /** The command line, with argv[0]. */
  readonly argv: readonly string[];
  /** `PBOX_*` entries, `NAME=value`. */
  readonly settings: readonly string[];
  /** What else of its environment says whose job it is. */
  readonly environment: Environment;
  /** `--failure open`, as the front end reads the words. */
  readonly failsOpen: boolean;
  /** Of the process that asks: its own word, which the kernel's takes the place of (request-server.ts). */
  readonly pid: number;
  /** CLOCK_MONOTONIC, ms: after that it does not wait any more. */
  readonly untilMs: number;
}

const HEAD_BYTES = 24;
/** native/src/front/via.cc knows it too. */
export const REQUEST_MAX_BYTES = 256 * 1024;

/**
 * Puts a request together from what arrives of it.
 * @returns takes a chunk; the request once it is whole, undefined before. It throws SpecError for what is none
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
