import { stripVTControlCharacters } from 'node:util';
import type { Look } from './look.ts';

/**
 * Words or longer parts in lines that fit the terminal; all lines but the first are indented. Line breaks in the
 * text and runs of spaces stay. Without a terminal nothing is broken. Not for commands: half a command could be pasted.
 */
export function wrap(text: string | readonly string[], indent: number, { width = Infinity }: Look): string {
  const parts = typeof text === 'string' ? text.trim().split(/ |(?=\n)/) : text;
  let line = indent;
  return parts
    .map((part, index) => {
      const length = stripVTControlCharacters(part).length;
      const breaks = part.startsWith('\n') || (index > 0 && line + 1 + length > width);
      line = breaks ? indent + length : line + length + (index > 0 ? 1 : 0);
      return `${breaks ? `\n${' '.repeat(indent)}` : index > 0 ? ' ' : ''}${part.replace('\n', '')}`;
    })
    .join('');
}

/** A command, SQL or code: it stays in one line, to be copied. */
const CODE = /tenantctl|--\w|[=;{}]|\b[A-Z]{3,} [A-Z]/;

/** A hint with its prose wrapped. A sentence with a command or SQL stays whole, and so do the lines of a long hint. */
export function wrapHint(hint: string, indent: number, look: Look): string {
  const text = hint.trim();
  if (text.includes('\n')) return text.replaceAll('\n', `\n${' '.repeat(indent)}`);
  const sentences = text.split(/(?<=[.:?]) /);
  return wrap(
    sentences.flatMap((sentence) => (CODE.test(sentence) ? [sentence] : sentence.split(' '))),
    indent,
    look,
  );
}
