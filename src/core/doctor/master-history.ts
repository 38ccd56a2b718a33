import { createHistoryTables } from '../target/history.ts';
import { recordAsApplied } from '../target/record.ts';
import { masterTarget } from '../target/target.ts';
import { planForward } from '../plan/plan.ts';
import { stemOf } from '../files/source.ts';
import { isDefaultRegistry } from '../registry/registry-shape.ts';
import { ok, refused, skipped, warning, type Verdict } from './check.ts';
import type { RegistryView } from './registry-facts.ts';
import { counted, listed } from '../../wording.ts';

/** Whether this is the migration that creates the registry. */
export function isInit(name: string): boolean {
  return /(?:^|_)init_db$/.test(stemOf(name));
}

/** The check of the master history against its folder. */
export function masterHistory({ names, shape, master, masterHistory: history }: RegistryView): Verdict {
  if (master === undefined) return skipped('the master folder cannot be read');
  const applied = new Set(history.entries.map(({ name }) => stemOf(name)));
  const init = master.files.find(({ stem }) => isInit(stem) && !applied.has(stem));
  if (shape !== undefined && init !== undefined && isDefaultRegistry(names)) {
    // Another tool created the registry: the migration that creates it would fail.
    return warning(
      `the registry exists, and the history does not say that ${init.name} has been applied`,
      `${createHistoryTables('public', names.masterHistory).join(';\n')};\n${recordAsApplied(masterTarget(names), init.name)};`,
    );
  }
  const { problem, steps } = planForward(master, history);
  if (problem !== undefined) return refused(problem);
  if (steps.length === 0) return ok(`${counted(history.entries.length, 'migration')} applied, none pending`);
  return warning(
    `${counted(steps.length, 'migration')} pending: ${listed(steps.map(({ name }) => name))}`,
    'tenantctl migrate master',
  );
}
