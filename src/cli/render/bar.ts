import type { Look } from './look.ts';

/** Columns of a bar where there is no terminal. */
const WIDTH = 60;

export interface BarPart {
  readonly count: number;
  /** One character, repeated. */
  readonly cell: string;
  readonly color: (text: string) => string;
}

/** A bar as long as its share of the most. Something has at least one cell. */
export function bar(count: number, most: number, { marks, width = WIDTH }: Look): string {
  const room = Math.min(20, Math.floor(width / 5));
  return marks.full.repeat(count === 0 ? 0 : Math.max(1, Math.round((count / most) * room)));
}

/** Parts side by side, as long as their shares; each that is not empty has at least one cell. */
export function stackedBar(parts: readonly BarPart[], indent: number, { width = WIDTH }: Look): string {
  const room = Math.max(parts.length, Math.min(width - indent, WIDTH));
  const total = parts.reduce((sum, { count }) => sum + count, 0);
  const cells = parts.map(({ count }) => (count === 0 ? 0 : Math.max(1, Math.floor((count / total) * room))));
  // What rounding left over, or took, is hardly seen in the longest part.
  const longest = cells.indexOf(Math.max(...cells));
  const rest = total === 0 ? 0 : room - cells.reduce((sum, number) => sum + number, 0);
  return parts
    .map(({ cell, color }, at) => color(cell.repeat((cells[at] ?? 0) + (at === longest ? rest : 0))))
    .join('');
}
