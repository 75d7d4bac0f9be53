import { createReadStream, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fsPath } from '../../bytes.js';
import { SpecError } from '../../errors.js';
import { isFields } from '../model/fields.js';
import { parseJson } from '../model/json.js';
import type { KnownBoxes } from './known-boxes.js';

/**
 * Reads messages from files: those of `--report-file`, what `proc_box watch --json` has printed, and what rabbitmqadmin has.
 * Large files are read in parts. Lines that are no messages are counted and left out.
 */

const LINE_MAX = 1024 * 1024;
/** Of a file that is one JSON text over several lines, UTF-16 units. */
const WHOLE_MAX = 64 * 1024 * 1024;
/** Files of a folder whose names say that they may hold messages. */
const NAMES = /\.(?:json|jsonl|ndjson)$/;
const FOLDER_MAX = 100_000;

/** @param path of a file, or of a folder with such files. @throws SpecError */
export async function readInto(boxes: KnownBoxes, path: string): Promise<void> {
  for (const file of filesAt(path)) {
    const before = boxes.count + boxes.unreadable;
    await readFile(boxes, file);
    if (file === path && boxes.count + boxes.unreadable === before) throw new SpecError(`${path} contains no message`);
  }
}

function filesAt(path: string): string[] {
  try {
    if (!statSync(fsPath(path)).isDirectory()) return [path];
    const names = readdirSync(fsPath(path)).filter((name) => NAMES.test(name));
    if (names.length === 0)
      throw new SpecError(`${path}: the folder has no file whose name ends in .json, .jsonl or .ndjson`);
    if (names.length > FOLDER_MAX)
      throw new SpecError(`${path}: the folder has more than ${FOLDER_MAX} files: name some of them`);
    return names.sort().map((name) => join(path, name));
  } catch (error) {
    throw readError(path, error);
  }
}

/** Whether a file has a message a line shows in its first line; one text over many lines is read whole. */
async function readFile(boxes: KnownBoxes, path: string): Promise<void> {
  let text = '';
  let mode: 'unknown' | 'lines' | 'whole' = 'unknown';
  try {
    for await (const part of createReadStream(fsPath(path), { encoding: 'utf8' }) as AsyncIterable<string>) {
      text += part;
      const end = text.indexOf('\n');
      if (mode === 'unknown' && end >= 0) mode = parseJson(text.slice(0, end)) === undefined ? 'whole' : 'lines';
      if (text.length > WHOLE_MAX) mode = 'lines';
      if (mode === 'lines') text = takeLines(boxes, text);
    }
  } catch (error) {
    throw readError(path, error);
  }
  const value = mode === 'lines' ? undefined : parseJson(text);
  if (value !== undefined) takeValue(boxes, value);
  else takeLine(boxes, takeLines(boxes, text));
}

/** @returns the beginning of a line whose end has not been read yet; of one that is too long, only as much as shows that */
function takeLines(boxes: KnownBoxes, text: string): string {
  const lines = text.split('\n');
  const rest = lines.pop()!;
  for (const line of lines) takeLine(boxes, line);
  return rest.length > LINE_MAX ? rest.slice(-LINE_MAX - 1) : rest;
}

function takeLine(boxes: KnownBoxes, line: string): void {
  if (line.trim() === '') return;
  const value = line.length > LINE_MAX ? undefined : parseJson(line);
  if (value === undefined) boxes.unreadable++;
  else takeValue(boxes, value);
}

/** A message, a list of messages, or what rabbitmqadmin wraps around one: `{"payload": "..."}`. */
function takeValue(boxes: KnownBoxes, value: unknown): void {
  if (Array.isArray(value)) {
    for (const one of value) takeValue(boxes, one);
    return;
  }
  if (isFields(value) && typeof value['payload'] === 'string') boxes.text(value['payload']);
  else boxes.value(value);
}

function readError(path: string, error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === undefined) return error;
  const why = code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'you may not read it' : code;
  return new SpecError(`read ${path}: ${why}`, { cause: error });
}
