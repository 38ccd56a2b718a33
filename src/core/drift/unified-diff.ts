import { diffLines, type Line } from './diff-lines.ts';

const CONTEXT = 3;

/**
 * The changes from one text to another in the unified format, with three lines around each
 * (https://www.gnu.org/software/diffutils/manual/html_node/Detailed-Unified.html). Pure.
 * @returns an empty text if they are equal
 */
export function unifiedDiff(from: Named, to: Named): string {
  if (from.text === to.text) return '';
  const lines = diffLines(linesOf(from.text), linesOf(to.text));
  const hunks: string[] = [];
  for (let at = 0; at < lines.length;) {
    const start = lines.findIndex(([sign], index) => index >= at && sign !== 0);
    if (start === -1) break;
    let end = start;
    for (let index = start; index < lines.length && index <= end + 2 * CONTEXT; index += 1)
      if (lines[index]?.[0] !== 0) end = index;
    const first = Math.max(at, start - CONTEXT);
    hunks.push(hunk(lines, first, Math.min(lines.length, end + CONTEXT + 1)));
    at = end + CONTEXT + 1;
  }
  return [`--- ${from.name}`, `+++ ${to.name}`, ...hunks, ''].join('\n');
}

export interface Named {
  readonly name: string;
  readonly text: string;
}

function linesOf(text: string): string[] {
  return text.replace(/\n$/, '').split('\n');
}

function hunk(lines: readonly Line[], first: number, end: number): string {
  const count = (part: readonly Line[], sign: number) =>
    part.filter(([each]) => each === 0 || each === sign).length;
  const [before, inside] = [lines.slice(0, first), lines.slice(first, end)];
  const range = (sign: number) => `${count(before, sign) + 1},${count(inside, sign)}`;
  const marks = { '1': '-', '0': ' ', '-1': '+' } as const;
  return [
    `@@ -${range(1)} +${range(-1)} @@`,
    ...inside.map(([sign, line]) => `${marks[`${sign}`]}${line}`),
  ].join('\n');
}
