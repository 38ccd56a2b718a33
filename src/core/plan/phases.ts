import type { History, HistoryEntry } from '../target/history.ts';
import type { Plan, Step } from './plan.ts';
import { historyAfter } from './history-after.ts';

/** One phase of a plan: what is done in it, to which history, and what that holds afterwards. */
export interface Phase {
  readonly plan: Plan;
  readonly history: History;
  readonly after: readonly HistoryEntry[];
}

/** In turn: what runs in a transaction, what runs outside one. The first may be empty, and no other. */
export type Phases = readonly Phase[];

/** Cuts a way forward before and behind its steps outside a transaction. All of it is one batch. Pure. */
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
    // Warnings are told of once.
    const part = { ...plan, steps, warnings: index === 0 ? plan.warnings : [] };
    const after = steps.length === 0 ? before.entries : historyAfter(before, part, 'up');
    phases.push({ plan: part, history: before, after });
    if (steps.length > 0) before = { entries: after, lockedByKnex: false };
  }
  return phases;
}
