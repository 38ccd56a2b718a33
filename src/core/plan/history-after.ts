import type { History, HistoryEntry } from '../target/history.ts';
import type { Plan } from './plan.ts';
import type { Direction } from '../files/load.ts';

/** The history after a plan. Pure. */
export function historyAfter(history: History, plan: Plan, direction: Direction): readonly HistoryEntry[] {
  const names = plan.steps.map(({ name }) => name);
  return direction === 'up'
    ? [...history.entries, ...names.map((name) => ({ name, batch: plan.batch }))]
    : history.entries.filter(({ name }) => !names.includes(name));
}
