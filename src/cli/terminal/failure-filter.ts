import type { TenantResult } from '../../core/report/results.ts';

/** So many failures of one kind are shown as they come, and so many in all. */
const SHOWN_PER_KIND = 10;
const SHOWN_IN_ALL = 100;

/**
 * What to do with a failure: show it; say that from here on those of its kind, or all, are only counted; or nothing,
 * since that has been said.
 */
export type FailureVerdict = 'show' | 'end-of-kind' | 'end-of-all' | 'count';

/**
 * Keeps a migration that fails for every tenant from flooding the terminal or the log. Failures are of one kind that
 * have the same migration and the same message, apart from the tenant's names and from numbers.
 */
export function createFailureFilter(): (result: TenantResult) => FailureVerdict {
  const kinds = new Map<string, number>();
  let shown = 0;
  return (result) => {
    // Nor is any kind remembered from there on: there may be one for each tenant.
    if (shown > SHOWN_IN_ALL) return 'count';
    const kind = kindOf(result);
    const before = kinds.get(kind) ?? 0;
    kinds.set(kind, before + 1);
    if (before > SHOWN_PER_KIND) return 'count';
    if (before === SHOWN_PER_KIND) return 'end-of-kind';
    shown += 1;
    return shown > SHOWN_IN_ALL ? 'end-of-all' : 'show';
  };
}

function kindOf({ error, schema, clerkOrgId }: TenantResult): string {
  if (error === undefined) return '';
  const message = error.message.replaceAll(schema, '…').replaceAll(clerkOrgId, '…').replaceAll(/\d+/g, '0');
  return [error.code, error.migration, error.sqlstate, message].join('\n');
}
