import type { History, HistoryEntry } from '../target/history.ts';
import { historyAfter, type Plan, type Step } from './plan.ts';

/** One phase: its part of the plan, and the history before and after it. */
export interface Phase {
  readonly plan: Plan;
  readonly history: History;
  readonly after: readonly HistoryEntry[];
}

/** Alternately in a transaction and outside one. Only the first may be empty. */
export type Phases = readonly Phase[];

/** Splits a forward plan around its steps outside a transaction. All phases form one batch. Pure. */
export function cutPlan(history: History, plan: Plan, isOutside: (step: Step) => boolean): Phases {
  const groups: Step[][] = [[]];
  for (const step of plan.steps) {
    const isOdd = (groups.length - 1) % 2 === 1;
    if (isOutside(step) !== isOdd) groups.push([]);
    groups.at(-1)?.push(step);
  }
  const phases: Phase[] = [];
  let before = history;
  for (const [index, steps] of groups.entries()) {
    // Warnings are reported once.
    const part = { ...plan, steps, warnings: index === 0 ? plan.warnings : [] };
    const after = steps.length === 0 ? before.entries : historyAfter(before, part, 'up');
    phases.push({ plan: part, history: before, after });
    if (steps.length > 0) before = { entries: after, lockedByKnex: false };
  }
  return phases;
}
