import { listed } from '../../../wording.ts';
import { backupDamaged } from '../../backup/backup-errors.ts';
import type { Manifest } from '../../backup/manifest.ts';
import type { Content } from '../../content/content.ts';

/*
 * tenantctl writes no backup that fails here. One that somebody has changed, with its hashes, can: its parts contradict
 * each other.
 */

/**
 * A schema of the backup's shape has nothing that the backup has no rows or no value for.
 * @throws TenantctlError BACKUP_DAMAGED
 */
export function assertHoldsAll(content: Content, here: Content): void {
  const known = new Set(nounsOf(content));
  const unknown = nounsOf(here).filter((noun) => !known.has(noun));
  if (unknown.length > 0) throw backupDamaged('The backup', `it has nothing for the ${listed(unknown)}`);
}

function nounsOf({ tables, sequences }: Content): string[] {
  return [
    ...tables.flatMap(({ name, columns }) => [
      `table ${name}`,
      ...columns.map((column) => `column ${name}.${column}`),
    ]),
    ...sequences.map(({ name }) => `sequence ${name}`),
  ];
}

/**
 * The history among the rows is that by which the schema was built.
 * @throws TenantctlError BACKUP_DAMAGED
 */
export function assertSameHistory(
  manifest: Pick<Manifest, 'migrations'>,
  loaded: Pick<Manifest, 'migrations'>,
): void {
  const [expected, found] = [manifest, loaded].map(({ migrations }) =>
    JSON.stringify(migrations.map(({ name, batch }) => [name, batch])),
  );
  if (found !== expected)
    throw backupDamaged('The backup', 'its manifest names other migrations than its history');
}
