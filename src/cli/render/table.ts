import { stripVTControlCharacters } from 'node:util';
import type { Look } from './look.ts';

const GAP = '  ';

/** No column is cut to less. */
const LEAST_WIDTH = 8;

/**
 * A borderless table, fitted to the terminal: short columns keep their width, long ones share the rest. A
 * fleet has tens of thousands of rows: this is one pass, while the usual table printers take minutes.
 * @param head column names; empty for none
 * @param widths widths of the columns so far; updated, for a table printed in parts
 */
export async function renderTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { paint, marks, width: available }: Look,
  widths: number[] = [],
): Promise<string> {
  const heads = head.length > 0 ? [head.map((name) => paint.dim(name))] : [];
  const texts = [...heads, ...rows].map((row) => row.map(inOneLine));
  const widthOf = texts.every((row) => row.every(isPlain)) ? plainWidth : await unicodeWidth();
  const cells = texts.map((row) => row.map((text) => ({ text, width: widthOf(text) })));
  for (const row of cells) {
    for (const [column, { width }] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, width);
  }
  const fitted = available === undefined ? widths : fit(widths, available);
  const draw = ({ text, width }: { text: string; width: number }, column: number) => {
    const most = fitted[column] ?? 0;
    return width > most ? cut(text, most, marks.ellipsis, widthOf) : text + ' '.repeat(most - width);
  };
  return cells.map((row) => row.map(draw).join(GAP).trimEnd()).join('\n');
}

/** Widths that fit: from the narrowest column on, each takes its width or an equal share of what is left. */
function fit(widths: readonly number[], available: number): number[] {
  const fitted = [...widths];
  let left = available - GAP.length * (widths.length - 1);
  const narrowestFirst = [...widths.keys()].toSorted((a, b) => (widths[a] ?? 0) - (widths[b] ?? 0));
  for (const [position, column] of narrowestFirst.entries()) {
    const share = Math.max(LEAST_WIDTH, Math.floor(left / (widths.length - position)));
    const width = Math.min(widths[column] ?? 0, share);
    fitted[column] = width;
    left -= width;
  }
  return fitted;
}

/** A sequence that sets a colour, or a character. */
const TOKENS = /\p{Cc}\[[\d;]*m|[^]/gu;

/** The beginning of a coloured text with an ellipsis. Prose ends with a whole word if that keeps half of it. */
function cut(text: string, width: number, ellipsis: string, widthOf: (text: string) => number): string {
  const tokens = text.match(TOKENS) ?? [];
  const room = width - ellipsis.length;
  let used = 0;
  let kept = { tokens: 0, width: 0, endsWord: false };
  for (const [index, token] of tokens.entries()) {
    if (isColor(token)) continue;
    const endsWord = token === ' ' && used >= room / 2;
    if (endsWord || !kept.endsWord) kept = { tokens: index, width: used, endsWord };
    used += widthOf(token);
    if (used > room) break;
  }
  const colors = tokens.slice(kept.tokens).filter(isColor);
  const padding = ' '.repeat(Math.max(0, room - kept.width));
  return [...tokens.slice(0, kept.tokens), ellipsis, ...colors, padding].join('');
}

function isColor(token: string): boolean {
  return token.length > 2;
}

function inOneLine(cell: string): string {
  return cell.replaceAll(/^\s*\n\s*|\s*\n\s*$/g, '').replaceAll(/\s*\n\s*/g, ' ');
}

function isPlain(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(stripVTControlCharacters(text));
}

function plainWidth(text: string): number {
  return stripVTControlCharacters(text).length;
}

/** Character widths; takes 50 ms to load. */
async function unicodeWidth(): Promise<(text: string) => number> {
  return (await import('string-width')).default;
}
