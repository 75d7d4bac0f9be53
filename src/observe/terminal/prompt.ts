import type { Key } from './keys.js';

/** A line that the user types at the bottom of a screen. */
export interface Prompt {
  readonly label: string;
  readonly text: string;
}

const LONGEST = 200;

/** @returns the prompt after a key, or how it has ended: with the text, or without */
export function typeInto(prompt: Prompt, { name, text }: Key): Prompt | { readonly entered: string } | 'left' {
  switch (name) {
    case 'enter':
      return { entered: prompt.text };
    case 'escape':
    case 'interrupt':
      return 'left';
    case 'backspace':
      return { ...prompt, text: Array.from(prompt.text).slice(0, -1).join('') };
    case 'clear':
      return { ...prompt, text: '' };
    case 'char':
      return prompt.text.length >= LONGEST ? prompt : { ...prompt, text: prompt.text + text };
    default:
      return prompt;
  }
}
