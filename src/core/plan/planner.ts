import type { History } from '../target/history.ts';
import type { MigrationFolder } from '../files/source.ts';
import { planForward, type ForwardOptions, type Plan } from './plan.ts';

/** planForward for many tenants: those whose history is one object share one plan. */
export function planner(folder: MigrationFolder, options: ForwardOptions = {}): (history: History) => Plan {
  const plans = new WeakMap<History['entries'], Plan>();
  return (history) => {
    const plan = plans.get(history.entries) ?? planForward(folder, history, options);
    plans.set(history.entries, plan);
    return plan;
  };
}
