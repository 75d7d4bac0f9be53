/**
 * To the kernel, paths and arguments are bytes. Here they are strings: UTF-8 is decoded, and each byte that is not UTF-8
 * becomes one of U+DC80 to U+DCFF, as in Python's surrogateescape (PEP 383). The addon takes and returns such strings. These
 * functions convert them for other uses.
 */

const ESCAPES = /(?<![\ud800-\udbff])[\udc80-\udcff]/g;
const FIRST = 0xdc00;

/** Converts a path for node:fs. */
export function fsPath(path: string): string | Buffer {
  return path.isWellFormed() ? path : bytesOf(path);
}

/** Returns the bytes that a string stands for. */
export function bytesOf(text: string): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  for (const { index } of text.matchAll(ESCAPES)) {
    parts.push(Buffer.from(text.slice(at, index)), Buffer.from([text.charCodeAt(index) - FIRST]));
    at = index + 1;
  }
  return Buffer.concat([...parts, Buffer.from(text.slice(at))]);
}

/** Returns the string that stands for these bytes. */
export function textOf(bytes: Uint8Array): string {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  if (!text.includes('\ufffd')) return text;
  let result = '';
  for (let at = 0; at < bytes.length; ) {
    const length = [1, 2, 3, 4].find((size) => isCharacter(bytes.subarray(at, at + size)));
    result +=
      length === undefined ? String.fromCharCode(FIRST + bytes[at]!) : STRICT.decode(bytes.subarray(at, at + length));
    at += length ?? 1;
  }
  return result;
}

/** Makes valid text for people and messages: writes a byte that is not UTF-8 as `\xe9`. */
export function shown(text: string): string {
  return text.isWellFormed()
    ? text
    : text.replace(ESCAPES, (unit) => `\\x${(unit.charCodeAt(0) - FIRST).toString(16)}`).toWellFormed();
}

const STRICT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function isCharacter(bytes: Uint8Array): boolean {
  try {
    return STRICT.decode(bytes).length > 0;
  } catch {
    return false;
  }
}
