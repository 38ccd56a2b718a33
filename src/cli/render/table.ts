import { stripVTControlCharacters } from 'node:util';
import type { Look } from './look.ts';
import { visibleText } from './visible.ts';

const GAP = '  ';

/** Before a column is cut to less than this, a spare one is left out. */
const READABLE = 32;

/** No column is cut to less than this. */
const LEAST = 8;

export interface TableOptions {
  /** The columns that a narrow terminal can do without, the first to go first. */
  readonly spare?: readonly number[];
  /** Columns that something else takes at the beginning of each line. */
  readonly indent?: number;
  /** Widths of the columns so far; updated, for a table printed in parts. */
  readonly widths?: number[];
}

/**
 * A borderless table. On a terminal that is too narrow, spare columns go, short ones keep their width and long
 * ones share the rest. Without a terminal nothing is cut.
 *
 * A fleet has tens of thousands of rows: this is one pass, while the usual table printers take minutes.
 * @param head column names; empty for none
 */
export async function renderTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { paint, marks, width: available }: Look,
  { spare = [], indent = 0, widths = [] }: TableOptions = {},
): Promise<string> {
  const heads = head.length > 0 ? [head.map((name) => paint.dim(name))] : [];
  const texts = [...heads, ...rows].map((row) => row.map(inOneLine));
  const widthOf = texts.every((row) => row.every(isPlain)) ? plainWidth : await unicodeWidth();
  const cells = texts.map((row) => row.map((text) => ({ text, width: widthOf(text) })));
  for (const row of cells) {
    for (const [column, { width }] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, width);
  }
  const fitted = available === undefined ? widths : fit(widths, available - indent, spare);
  const draw = ({ text, width }: { text: string; width: number }, column: number) => {
    const most = fitted[column];
    if (most === undefined) return [];
    return width > most ? cut(text, most, marks.ellipsis, widthOf) : text + ' '.repeat(most - width);
  };
  return cells.map((row) => row.flatMap(draw).join(GAP).trimEnd()).join('\n');
}

/** The width of each column; undefined for one that is left out. */
function fit(widths: readonly number[], available: number, spare: readonly number[]): (number | undefined)[] {
  let kept = [...widths.keys()];
  const needed = () => kept.reduce((sum, at) => sum + Math.min(widths[at] ?? 0, READABLE) + GAP.length, 0);
  for (const column of spare) {
    if (needed() - GAP.length <= available) break;
    kept = kept.filter((at) => at !== column);
  }
  return share(kept, widths, available);
}

/** From the narrowest column on, each takes its width or an equal share of what is left. */
function share(
  kept: readonly number[],
  widths: readonly number[],
  available: number,
): (number | undefined)[] {
  const fitted: (number | undefined)[] = widths.map(() => undefined);
  let left = available - GAP.length * (kept.length - 1);
  const narrowestFirst = kept.toSorted((a, b) => (widths[a] ?? 0) - (widths[b] ?? 0));
  for (const [position, column] of narrowestFirst.entries()) {
    const part = Math.max(LEAST, Math.floor(left / (kept.length - position)));
    const width = Math.min(widths[column] ?? 0, part);
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
  return visibleText(cell.replaceAll(/^\s*\n\s*|\s*\n\s*$/g, '').replaceAll(/\s*\n\s*/g, ' '));
}

/** Made of ASCII and of the cells of bars. */
function isPlain(text: string): boolean {
  return /^[\x20-\x7e\u2580-\u259f]*$/.test(stripVTControlCharacters(text));
}

function plainWidth(text: string): number {
  return stripVTControlCharacters(text).length;
}

/** Character widths; takes 50 ms to load. */
async function unicodeWidth(): Promise<(text: string) => number> {
  return (await import('string-width')).default;
}
