import type { ChalkInstance } from 'chalk';
import { stripVTControlCharacters } from 'node:util';

/**
 * A borderless table. A fleet has tens of thousands of rows: this is one pass, while the usual table printers
 * take minutes.
 * @param head column names; empty for none
 * @param widths minimum column widths; set to the widths used, for a table printed in parts
 */
export async function renderTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  paint: ChalkInstance,
  widths: number[] = [],
): Promise<string> {
  const heads = head.length > 0 ? [head.map((name) => paint.dim(name))] : [];
  const texts = [...heads, ...rows].map((row) => row.map(inOneLine));
  const widthOf = texts.every((row) => row.every(isPlain)) ? plainWidth : await unicodeWidth();
  const cells = texts.map((row) => row.map((text) => ({ text, width: widthOf(text) })));
  for (const row of cells) {
    for (const [column, { width }] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, width);
  }
  return cells
    .map((row) =>
      row
        .map(({ text, width }, column) => text + ' '.repeat((widths[column] ?? 0) - width))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
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
