import type { ErrorReport } from '../../errors.ts';
import type { Rehearsal } from '../commands/rehearse.ts';

/** What a dry run cannot show. */
export const REHEARSAL_NOTE =
  'nothing has been changed. The functions of the migrations have run; what they did in the database was rolled back (only sequences stay advanced, as PostgreSQL has it), what they did elsewhere (files, requests) was not, and is not shown.';

export interface RehearsalDocument {
  readonly dryRun: true;
  readonly note: string;
  readonly upToDate: number;
  readonly plans: readonly {
    readonly scope: 'master' | 'tenants';
    readonly targets: readonly { readonly clerkOrgId?: string; readonly schema: string }[];
    readonly shownOn: string;
    readonly migrations: readonly {
      readonly name: string;
      readonly transaction: boolean;
      readonly statements: readonly string[];
      readonly note?: string;
      readonly error?: ErrorReport;
    }[];
  }[];
  readonly problems: readonly ErrorReport[];
  readonly warnings: readonly string[];
}

/** Every command with `--dry-run`. */
export function rehearsalDocument(rehearsal: Rehearsal): RehearsalDocument {
  return {
    dryRun: true,
    note: REHEARSAL_NOTE,
    upToDate: rehearsal.upToDate,
    plans: rehearsal.plans.map((plan) => ({
      scope: plan.scope,
      targets: plan.targets.map(({ clerkOrgId, schema }) => ({
        ...(clerkOrgId !== undefined && { clerkOrgId }),
        schema,
      })),
      shownOn: plan.shownOn,
      migrations: plan.migrations.map(({ note, error, ...migration }) => ({
        ...migration,
        ...(note !== undefined && { note }),
        ...(error !== undefined && { error: error.toJSON() }),
      })),
    })),
    problems: rehearsal.problems.map(({ error }) => error.toJSON()),
    warnings: rehearsal.warnings,
  };
}
