import type { Database } from '../../db/database.ts';
import { readVersionIfAny } from '../state/version.ts';
import { findRegistry } from './find-registry.ts';
import { readOtherHistories, type OtherHistory } from './other-histories.ts';

/** What a database that Knex has been migrating has under names that are not configured. */
export interface Adoption {
  readonly histories: readonly OtherHistory[];
  /** The variables that name the registry; empty if it is there, or none was found. */
  readonly registry: readonly string[];
  /** An earlier run recorded the names in the database. */
  readonly isRecorded: boolean;
}

export async function readAdoption(database: Database, hasRegistry: boolean): Promise<Adoption> {
  return {
    histories: await readOtherHistories(database),
    registry: hasRegistry ? [] : await findRegistry(database),
    isRecorded: (await readVersionIfAny(database, undefined)) > 0,
  };
}

/**
 * The variables with which tenantctl continues; of several names the most frequent counts. Undefined if there is
 * nothing to continue. Pure.
 */
export function adoptionAdvice({ histories, registry, isRecorded }: Adoption): string | undefined {
  const [master, tenant] = [true, false].map((inPublic) =>
    histories.find((other) => other.inPublic === inPublic),
  );
  const variables = [
    ...(master === undefined ? [] : [`MASTER_HISTORY_TABLE=${master.table}`]),
    ...(tenant === undefined ? [] : [`TENANT_HISTORY_TABLE=${tenant.table}`]),
    ...registry,
  ];
  if (variables.length === 0) return undefined;
  const next = isRecorded ? ', then run tenantctl migrate master --change-names' : '';
  return [`Set these variables${next}:`, ...variables].join('\n');
}
