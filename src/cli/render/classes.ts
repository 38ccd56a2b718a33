import type { ClassCounts } from '../../core/report/class-counts.ts';
import { stackedBar } from './bar.ts';
import type { Look } from './look.ts';
import { wrap } from './wrap.ts';

const CLASSES = [
  { key: 'upToDate', words: 'up to date', color: 'green', cell: 'full' },
  { key: 'behind', words: 'behind', color: 'yellow', cell: 'half' },
  { key: 'failed', words: 'failed', color: 'red', cell: 'failed' },
  { key: 'broken', words: 'broken', color: 'red', cell: 'warning' },
  { key: 'notActive', words: 'not active', color: 'dim', cell: 'skipped' },
] as const;

/** "3 up to date, 1 behind, 1 failed, 1 broken, 0 not active" */
export function renderClasses(counts: ClassCounts, look: Look): string {
  return partsOf(counts, look)
    .map(({ count, words, color }) => color(`${count} ${words}`))
    .join(', ');
}

/** "5: # 3 up to date, = 1 behind, ...", and below it a bar of these signs. */
export function renderClassBar(counts: ClassCounts, indent: number, look: Look): string[] {
  const parts = partsOf(counts, look);
  const legend = parts.map(({ count, words, cell, color }, at) => {
    const comma = at < parts.length - 1 ? ',' : '';
    return `${color(`${cell} ${count} ${words}`)}${comma}`;
  });
  const lines = [wrap([`${counts.total}:`, ...legend], indent, look)];
  return counts.total === 0 ? lines : [...lines, stackedBar(parts, indent, look)];
}

function partsOf(counts: ClassCounts, { paint, marks }: Look) {
  return CLASSES.map(({ key, words, color, cell }) => ({
    count: counts[key],
    words,
    color: counts[key] > 0 ? paint[color] : (text: string) => text,
    cell: marks[cell],
  }));
}
