import { withDatabase } from '../../db/open.ts';
import type { Database } from '../../db/database.ts';
import { TenantctlError } from '../../errors.ts';
import type { ErrorCode } from '../../error-code.ts';
import type { Names } from '../../names.ts';
import { migrateMaster } from '../commands/migrate-master.ts';
import type { VectorExtensionMode } from '../install/vector-extension.ts';
import { checkOptions } from '../options/check-options.ts';
import { silent, type Observer } from '../report/event.ts';
import { provisionTenant } from '../tenant/provision.ts';
import { readRelations } from './read-relations.ts';
import { renderTypes } from './render-types.ts';

export interface TypesOfMigrationsOptions {
  readonly masterFolder: string;
  readonly tenantFolder: string;
  /** The folder of the repeatable scripts; none if absent. */
  readonly repeatableFolder?: string | undefined;
  /** DEFAULT_NAMES if absent. */
  readonly names?: Names | undefined;
  readonly vectorExtension?: VectorExtensionMode | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly observe?: Observer | undefined;
}

/** The organization of the one tenant. */
const ORGANIZATION = 'tenant_in_memory';

/**
 * TypeScript types, in Kysely's form, of the shared tables and of the tables that each tenant has. All migrations run
 * on an embedded PostgreSQL in memory, for one tenant; no server is needed.
 * @returns the text of a module; the same for the same migrations
 * @throws TenantctlError EMBEDDED_UNAVAILABLE; what `migrateMaster` and `provisionTenant` throw
 */
export async function typesOfMigrations(given: TypesOfMigrationsOptions): Promise<string> {
  // openDatabase checks the names.
  const options = checkOptions({ ...given, names: undefined }, 'masterFolder', 'tenantFolder');
  const { names } = given;
  const { observe = silent } = options;
  observe({ type: 'phase', message: 'Starting PostgreSQL in memory' });
  return withDatabase({ kind: 'embedded', lockWaitMs: 0 }, { maxConnections: 1, names }, async (database) => {
    const schema = await makeCanonicalTenant(database, options).catch((error: unknown) => {
      throw withOtherWay(error);
    });
    return renderTypes(await readRelations(database, schema), schema);
  });
}

async function makeCanonicalTenant(
  database: Database,
  {
    masterFolder,
    tenantFolder,
    repeatableFolder,
    vectorExtension,
    signal,
    observe,
  }: TypesOfMigrationsOptions,
): Promise<string> {
  const run = { signal, observe, recordings: false };
  await migrateMaster(database, { ...run, folder: masterFolder });
  const { schema } = await provisionTenant(database, ORGANIZATION, {
    ...run,
    folder: tenantFolder,
    repeatableFolder,
    vectorExtension,
  });
  return schema;
}

/** What a migration may need and the embedded PostgreSQL lacks shows as one of these. */
const SERVER_NEEDED = new Set<ErrorCode>([
  'MIGRATION_FAILED',
  'EXTENSION_UNAVAILABLE',
  'REGISTRY_ABSENT',
  'INIT_MIGRATION_MISSING',
  'MIGRATIONS_FOLDER_MISSING',
]);

function withOtherWay(error: unknown): unknown {
  if (!(error instanceof TenantctlError) || !SERVER_NEEDED.has(error.code)) return error;
  // Nobody can look at the run: its ledger is gone with the database.
  const way =
    'If the migrations need what only your server has, such as an extension, a role or a table of another tool: tenantctl types --tenant <org> reads a tenant of the configured database instead.';
  const hint = error.hint === undefined ? way : `${error.hint} ${way}`;
  return new TenantctlError(error.code, error.message, {
    ...error.toJSON(),
    run: undefined,
    hint,
    cause: error.cause,
  });
}
