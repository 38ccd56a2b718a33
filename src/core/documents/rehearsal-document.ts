import type { ErrorReport } from '../../errors.ts';
import type { Rehearsal } from '../commands/rehearse.ts';
import type { RehearsedMigration, RehearsedPlan } from '../commands/try-plan.ts';
import { withReport } from './document.ts';

/** What a dry run cannot show. */
export const REHEARSAL_NOTE =
  'nothing has been changed. What ran was rolled back in the database, except that sequences stay advanced. What functions in code did elsewhere (files, requests) was not undone, and is not shown.';

export interface RehearsalDocument {
  readonly dryRun: true;
  readonly note: string;
  readonly upToDate: number;
  readonly plans: readonly (Omit<RehearsedPlan, 'migrations'> & {
    readonly migrations: readonly (Omit<RehearsedMigration, 'error'> & { readonly error?: ErrorReport })[];
  })[];
  readonly problems: readonly ErrorReport[];
  readonly warnings: readonly string[];
  readonly leftAlone?: Rehearsal['leftAlone'];
}

/** Every command with `--dry-run`. */
export function rehearsalDocument(rehearsal: Rehearsal): RehearsalDocument {
  return {
    dryRun: true,
    note: REHEARSAL_NOTE,
    upToDate: rehearsal.upToDate,
    plans: rehearsal.plans.map((plan) => ({ ...plan, migrations: plan.migrations.map(withReport) })),
    problems: rehearsal.problems.map(({ error }) => error.toJSON()),
    warnings: rehearsal.warnings,
    ...(rehearsal.leftAlone !== undefined && { leftAlone: rehearsal.leftAlone }),
  };
}
