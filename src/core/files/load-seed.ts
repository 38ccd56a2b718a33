import type { Knex } from 'knex';
import { importMigration } from './import-migration.ts';
import { invalid } from './invalid-migration.ts';
import { allowOutsideOf, exportsOf } from './module-exports.ts';
import { isSeedSkeleton } from './skeleton.ts';
import type { MigrationFile } from './source.ts';
import { hasMarker, NEVER_UNDONE } from './sql-file.ts';

const FORM =
  'A seed exports a function seed that is handed Knex, or is an .sql file without markers: see `tenantctl make seed <name>`.';
const IS_MIGRATION = 'It is a migration. What changes tables belongs in migrations; a seed fills them.';

/** Loads a seed as a migration without a down: it runs within the tenant's transaction. @throws TenantctlError SEED_INVALID */
export async function loadSeed(file: MigrationFile, text: string) {
  if (isSeedSkeleton(text, file.format))
    throw invalid(file, 'is empty. Nothing was changed.', 'Fill it in, or delete the file.');
  const { up, allowOutside } = file.format === 'sql' ? sqlOf(file, text) : await functionOf(file, text);
  return { ...NEVER_UNDONE, up, allowOutside };
}

function sqlOf(file: MigrationFile, text: string) {
  if (hasMarker(text))
    throw invalid(file, 'has a line "-- migrate:up" or "-- migrate:down".', `${IS_MIGRATION} ${FORM}`);
  return { up: text, allowOutside: [] };
}

async function functionOf(file: MigrationFile, text: string) {
  const loaded = await importMigration(file, text);
  const found = exportsOf(loaded, 'seed');
  if (typeof found.seed !== 'function') {
    const isMigration = typeof exportsOf(loaded, 'up').up === 'function';
    throw isMigration
      ? invalid(file, 'exports "up", and no function "seed".', `${IS_MIGRATION} ${FORM}`)
      : invalid(file, 'exports no function "seed".', FORM);
  }
  if (found.config?.transaction === false) {
    const hint = 'Remove transaction: false. What must run outside a transaction is a migration.';
    throw invalid(file, "asks to run outside a transaction; a tenant's seeds run in one.", hint);
  }
  return { up: found.seed as (knex: Knex) => unknown, allowOutside: allowOutsideOf(found, file) };
}
