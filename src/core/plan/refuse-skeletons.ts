import type { Database } from '../../db/database.ts';
import { TenantctlError } from '../../errors.ts';
import { listed } from '../../wording.ts';
import { isSkeleton } from '../files/skeleton.ts';
import { readMigrationFolder, stemOf, textOf, type MigrationFile } from '../files/source.ts';
import { readStateVersion, STAMPS_SINCE } from '../state/version.ts';
import type { Target } from '../target/target.ts';

/**
 * Refuses files that are still as `make` wrote them. A file that a tenant's history already contains is
 * accepted: a new tenant needs the same history.
 * @param files files that are about to be applied
 * @throws TenantctlError MIGRATION_INVALID
 */
export async function refuseSkeletons(
  database: Database,
  scope: Target['scope'],
  files: readonly MigrationFile[],
): Promise<void> {
  const empty = files.filter((file) => isSkeleton(textOf(file), file.format));
  if (empty.length === 0) return;
  const applied = scope === 'tenants' ? await namesInTenantHistories(database) : [];
  const stems = new Set(applied.map(stemOf));
  const names = empty.filter(({ stem }) => !stems.has(stem)).map(({ name }) => name);
  if (names.length === 0) return;
  const [as, them] = names.length === 1 ? ['is', 'it'] : ['are', 'them'];
  throw new TenantctlError(
    'MIGRATION_INVALID',
    `${listed(names)} ${as} as \`make\` wrote ${them}: up and down are empty. Nothing was changed.`,
    { migration: names[0], hint: `Fill in up and down, or delete the file${names.length === 1 ? '' : 's'}.` },
  );
}

/** Before `migrate all` begins with the master schema: no tenant migration of this folder is a skeleton. */
export async function refuseSkeletonsIn(database: Database, tenantFolder: string): Promise<void> {
  await refuseSkeletons(database, 'tenants', (await readMigrationFolder(tenantFolder)).files);
}

/** From the stamps' histories; none before there were stamps. */
async function namesInTenantHistories(database: Database): Promise<string[]> {
  if ((await readStateVersion(database)) < STAMPS_SINCE) return [];
  const { rows } = await database.query<{ name: string }>(
    `SELECT DISTINCT entry ->> 0 AS name
     FROM tenantctl.histories h CROSS JOIN jsonb_array_elements(h.entries) entry
     WHERE EXISTS (SELECT FROM tenantctl.stamps s WHERE s.digest = h.digest)`,
  );
  return rows.map(({ name }) => name);
}
