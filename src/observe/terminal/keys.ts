import { StringDecoder } from 'node:string_decoder';

/** Turns what a terminal sends into keys. */

/** `char` is any other printable character, in `text`. */
export type KeyName =
  | 'char'
  | 'up'
  | 'down'
  | 'left'
  | 'right'
  | 'pageup'
  | 'pagedown'
  | 'home'
  | 'end'
  | 'enter'
  | 'escape'
  | 'backspace'
  | 'tab'
  | 'interrupt'
  | 'suspend'
  | 'redraw'
  | 'clear'
  | 'unknown';

export interface Key {
  readonly name: KeyName;
  readonly text: string;
}

/** Cursor keys and the like, by the end of their sequence: CSI and SS3, as xterm, the Linux console, tmux and rxvt send them. */
const SEQUENCES: Readonly<Record<string, KeyName>> = {
  A: 'up',
  B: 'down',
  C: 'right',
  D: 'left',
  F: 'end',
  H: 'home',
  '1~': 'home',
  '4~': 'end',
  '5~': 'pageup',
  '6~': 'pagedown',
  '7~': 'home',
  '8~': 'end',
};

const CONTROLS: Readonly<Record<string, KeyName>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\t': 'tab',
  '\x7f': 'backspace',
  '\b': 'backspace',
  '\x03': 'interrupt',
  '\x1a': 'suspend',
  '\x0c': 'redraw',
  '\x15': 'clear',
  '\x02': 'pageup',
  '\x06': 'pagedown',
  '\x01': 'home',
  '\x05': 'end',
  '\x0e': 'down',
  '\x10': 'up',
};

const ESCAPE = '\x1b';
/** What follows ESC. */
const SEQUENCE = /^(?:\[|O)([\d;]*)([@-~])/;
/** The same, if its end has not come yet. */
const UNFINISHED = /^(?:(?:\[|O)[\d;]*)?$/;
/** Longer than any sequence that we know, so that a stream of digits cannot make us wait for ever. */
const UNFINISHED_MAX = 32;

export class KeyReader {
  readonly #decoder = new StringDecoder('utf8');
  #pending = '';

  /** Keys that are complete. */
  read(bytes: Buffer): Key[] {
    this.#pending += this.#decoder.write(bytes);
    const keys: Key[] = [];
    while (this.#pending !== '') {
      if (isUnfinished(this.#pending)) return keys;
      keys.push(this.#next());
    }
    return keys;
  }

  /** A sequence has begun; if nothing follows soon, it was the escape key: call `flush`. */
  get waits(): boolean {
    return this.#pending !== '';
  }

  /** Nothing more has come, so that the beginning of a sequence was a key of its own. */
  flush(): Key[] {
    const had = this.#pending;
    this.#pending = '';
    return had === '' ? [] : [{ name: had === ESCAPE ? 'escape' : 'unknown', text: '' }];
  }

  #next(): Key {
    const text = this.#pending;
    const escaped = text.startsWith(ESCAPE);
    const [sequence, parameters = '', last = ''] = (escaped && SEQUENCE.exec(text.slice(1))) || [];
    if (sequence !== undefined) {
      this.#pending = text.slice(1 + sequence.length);
      // Parameters after the first tell of Shift and Control.
      const name = last === '~' ? `${parameters.split(';')[0]}~` : last;
      return { name: SEQUENCES[name] ?? 'unknown', text: '' };
    }
    if (escaped) {
      // Alt and a key, or the escape key and another one at once.
      this.#pending = text.slice(1);
      return { name: 'escape', text: '' };
    }
    const character = String.fromCodePoint(text.codePointAt(0)!);
    this.#pending = text.slice(character.length);
    const control = CONTROLS[character];
    if (control !== undefined) return { name: control, text: '' };
    return /[\p{Cc}\p{Cf}\p{Cs}\p{Co}]/u.test(character)
      ? { name: 'unknown', text: '' }
      : { name: 'char', text: character };
  }
}

function isUnfinished(text: string): boolean {
  return text.startsWith(ESCAPE) && text.length < UNFINISHED_MAX && UNFINISHED.test(text.slice(1));
}
