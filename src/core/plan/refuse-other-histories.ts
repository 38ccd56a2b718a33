import type { Database } from '../../db/database.ts';
import { TenantctlError } from '../../errors.ts';
import type { MigrationFolder } from '../files/source.ts';
import { adoptionAdvice, readAdoption } from '../registry/adoption.ts';
import { continues, placesOf } from '../registry/other-histories.ts';
import { hasRegistryTable } from '../registry/registry-shape.ts';
import { readStateVersion } from '../state/version.ts';

/**
 * Where no history has the configured name, the folder's migrations may be recorded under another one: they
 * would be applied again.
 * @throws TenantctlError NAMES_DIFFER
 */
export async function refuseOtherHistories(
  database: Database,
  scope: 'master' | 'tenants',
  folder: MigrationFolder,
): Promise<void> {
  // If the database was set up with other names, these explain the problem better.
  await readStateVersion(database);
  const adoption = await readAdoption(database, await hasRegistryTable(database, database.names));
  const own = adoption.histories.filter(
    (history) => history.inPublic === (scope === 'master') && continues(folder, history),
  );
  if (own.length === 0) return;
  throw new TenantctlError(
    'NAMES_DIFFER',
    `Knex has recorded these migrations in ${placesOf(own)}, which tenantctl does not read: it would apply them again. Nothing was changed.`,
    { hint: adoptionAdvice(adoption) },
  );
}
