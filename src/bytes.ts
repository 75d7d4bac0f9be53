/**
 * Paths and words are bytes to the kernel. Here they are strings: UTF-8 is decoded, and each byte that is none is one of
 * U+DC80 to U+DCFF, as Python's surrogateescape has it. The addon's functions take and give such strings; for others:
 */

const ESCAPES = /(?<![\ud800-\udbff])[\udc80-\udcff]/g;
const FIRST = 0xdc00;

/** A path as node:fs takes it. */
export function fsPath(path: string): string | Buffer {
  return path.isWellFormed() ? path : bytesOf(path);
}

/** The bytes that a string stands for. */
export function bytesOf(text: string): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  for (const { index } of text.matchAll(ESCAPES)) {
    parts.push(Buffer.from(text.slice(at, index)), Buffer.from([text.charCodeAt(index) - FIRST]));
    at = index + 1;
  }
  return Buffer.concat([...parts, Buffer.from(text.slice(at))]);
}

/** The string that stands for these bytes. */
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

/** For people and for messages, which are valid text: such a byte as `\xe9`. */
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
