import { messageOf, toTenantctlError } from '../../errors.ts';
import { listed } from '../../wording.ts';
import { stemOf } from '../files/source.ts';
import type { TenantState } from '../fleet/tenant-state.ts';
import type { RunContext } from '../run/run-context.ts';
import { readShapeOf } from '../shape/read-shapes.ts';
import type { Shape } from '../shape/shape.ts';
import type { ReferenceWork } from './build-aside.ts';
import { buildReference } from './build-reference.ts';

/** What a tenant is compared with, or why it is not. */
export type Reference = { readonly shape: Shape } | { readonly reason: string };

export interface References {
  of(state: TenantState): Promise<Reference>;
}

/** Histories for which a reference is built: each takes the time of a new tenant. */
const MOST_BUILT = 20;

/** The texts of scripts that a tenant has are not kept, so nobody can tell what they made. */
const SCRIPTS_DUE = 'repeatable scripts are due: tenantctl migrate tenants applies them';

/**
 * What the migrations make, built for each history that tenants have: a tenant that is behind, or whose migrations came
 * in another order, is compared with what its own migrations make.
 */
export function referencesOfMigrations(work: ReferenceWork): References {
  const built = new Map<string, Promise<Reference>>();
  const build = (applied: readonly string[], isNewest: boolean): Promise<Reference> => {
    if (built.size >= MOST_BUILT)
      return Promise.resolve({
        reason: `a reference is built for ${MOST_BUILT} histories at most, and tenants have more: name tenants with --tenant, or bring them up to date with tenantctl migrate tenants`,
      });
    return buildReference(work, applied).then(
      (shape) => ({ shape }),
      (error: unknown) => {
        // An old version may need a file that is gone, or a shared table.
        if (isNewest) throw toTenantctlError(error);
        return { reason: `at its version, no reference could be built: ${messageOf(error)}` };
      },
    );
  };
  return {
    of({ applied, pending, hasOutdatedScripts }) {
      if (hasOutdatedScripts) return Promise.resolve({ reason: SCRIPTS_DUE });
      const key = historyKey(applied);
      const isNewest = pending.length === 0 && applied.length === work.folder.files.length;
      const reference = built.get(key) ?? build(applied, isNewest);
      built.set(key, reference);
      return reference;
    },
  };
}

/** A tenant's own shape; tenants with another history are not compared. */
export async function referencesOfTenant(
  { database }: RunContext,
  { tenant, applied, hasOutdatedScripts }: TenantState,
): Promise<References> {
  const shape = await readShapeOf(database, tenant.schema);
  const { clerkOrgId } = tenant;
  return {
    of(state) {
      const reason =
        shape === undefined
          ? `${clerkOrgId} has no schema any more`
          : (otherMigrations(clerkOrgId, applied, state.applied) ??
            (hasOutdatedScripts === state.hasOutdatedScripts
              ? undefined
              : `${SCRIPTS_DUE} to ${hasOutdatedScripts ? clerkOrgId : 'it'}`));
      return Promise.resolve(
        shape !== undefined && reason === undefined ? { shape } : { reason: reason ?? '' },
      );
    },
  };
}

/** Pure. */
function otherMigrations(
  reference: string,
  expected: readonly string[],
  applied: readonly string[],
): string | undefined {
  const without = (some: readonly string[], others: readonly string[]) => {
    const stems = new Set(others.map(stemOf));
    return some.filter((name) => !stems.has(stemOf(name)));
  };
  const [lacking, more] = [without(expected, applied), without(applied, expected)];
  if (lacking.length + more.length === 0) return undefined;
  const lacks = lacking.length === 0 ? [] : [`lacks ${listed(lacking)}, which ${reference} has`];
  const has = more.length === 0 ? [] : [`has ${listed(more)}, which ${reference} lacks`];
  return `it ${[...lacks, ...has].join(', and ')}: bring both up to date with tenantctl migrate tenants, or compare it with what its own migrations make, without --reference`;
}

/** By names without extension: a team moves from .js to .ts. */
export function historyKey(applied: readonly string[]): string {
  return JSON.stringify(applied.map(stemOf));
}
