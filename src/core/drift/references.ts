import { messageOf, toTenantctlError } from '../../errors.ts';
import type { TenantState } from '../fleet/tenant-state.ts';
import type { MigrationFolder } from '../files/source.ts';
import type { RunContext } from '../run/run-context.ts';
import { readShapes } from '../shape/read-shapes.ts';
import type { Shape } from '../shape/shape.ts';
import { buildReference } from './build-reference.ts';

/** What a tenant is compared with, or why it is not. */
export type Reference = { readonly shape: Shape } | { readonly reason: string };

export interface References {
  of(state: TenantState): Promise<Reference>;
}

/** Histories for which a reference is built: each takes the time of a new tenant. */
const MOST_BUILT = 10;

/**
 * What the migrations make, built for each history that tenants have: a tenant that is behind, or whose migrations came
 * in another order, is compared with what its own migrations make.
 */
export function referencesOfMigrations(context: RunContext, folder: MigrationFolder): References {
  const built = new Map<string, Promise<Reference>>();
  const build = (applied: readonly string[], isNewest: boolean): Promise<Reference> => {
    if (built.size >= MOST_BUILT)
      return Promise.resolve({
        reason: `tenants have more than ${MOST_BUILT} different histories`,
      });
    return buildReference(context, folder, applied).then(
      (shape) => ({ shape }),
      (error: unknown) => {
        // An old version may need a file that is gone, or a shared table.
        if (isNewest) throw toTenantctlError(error);
        return { reason: messageOf(error) };
      },
    );
  };
  return {
    of({ applied, pending, hasOutdatedScripts }) {
      if (hasOutdatedScripts && pending.length === 0)
        return Promise.resolve({ reason: 'repeatable scripts are due' });
      const key = historyKey(applied);
      const reference =
        built.get(key) ?? build(applied, pending.length === 0 && applied.length === folder.files.length);
      built.set(key, reference);
      return reference;
    },
  };
}

/** A tenant's own shape; tenants with another history are not compared. */
export async function referencesOfTenant(
  { database }: RunContext,
  { tenant, applied }: TenantState,
): Promise<References> {
  let shape: Shape | undefined;
  for await (const each of readShapes(database, [tenant.schema])) shape = each;
  const key = historyKey(applied.toSorted());
  return {
    of(state) {
      const isSame = historyKey(state.applied.toSorted()) === key;
      return Promise.resolve(
        shape !== undefined && isSame ? { shape } : { reason: `${tenant.clerkOrgId} has other migrations` },
      );
    },
  };
}

/** By names without extension: a team moves from .js to .ts. */
export function historyKey(applied: readonly string[]): string {
  return JSON.stringify(applied.map((name) => name.replace(/\.[^.]+$/, '')));
}
