import type { ChalkInstance } from 'chalk';
import type { ClassCounts } from '../../core/report/class-counts.ts';

/** "3 up to date, 1 behind, 1 failed, 1 broken, 0 not active" */
export function renderClasses(counts: ClassCounts, paint: ChalkInstance): string {
  const part = (count: number, words: string, color: (text: string) => string) =>
    count > 0 ? color(`${count} ${words}`) : `${count} ${words}`;
  const parts = [
    part(counts.upToDate, 'up to date', paint.green),
    part(counts.behind, 'behind', paint.yellow),
    part(counts.failed, 'failed', paint.red),
    part(counts.broken, 'broken', paint.red),
    part(counts.notActive, 'not active', paint.dim),
  ];
  return parts.join(', ');
}
