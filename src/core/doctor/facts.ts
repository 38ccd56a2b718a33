import type { Database, DatabaseSettings } from '../../db/database.ts';
import { withDatabase } from '../../db/open.ts';
import { toTenantctlError } from '../../errors.ts';
import type { Names } from '../../names.ts';
import type { VectorExtensionMode } from '../install/vector-extension.ts';
import { attempt } from './attempt.ts';
import type { ConnectionFacts } from './connection.ts';
import type { EnvironmentFacts } from './environment-checks.ts';
import { readFolderFacts } from './folders.ts';
import { readRegistryFacts } from './registry-facts.ts';
import { readRights } from './rights.ts';
import { readServerFacts } from './server-facts.ts';
import { readTenantRoleFacts } from './tenant-roles.ts';
import { readVectorFacts } from './vector-check.ts';

export interface DiagnoseOptions {
  /** process.versions.node */
  readonly nodeVersion: string;
  /** Where the settings came from; not checked if absent. */
  readonly environment?: EnvironmentFacts | undefined;
  /** Absent if the configuration has none: checks that need a database are skipped. */
  readonly database: DatabaseSettings | undefined;
  /** What the database calls the registry and the history tables; DEFAULT_NAMES if absent. */
  readonly databaseNames?: Names | undefined;
  /** The folders of the migrations; absent if the configuration is not known. */
  readonly folders?:
    | {
        readonly master: string;
        readonly tenants: string;
        /** Named by a variable: if it does not exist, the configuration is wrong. */
        readonly masterIsNamed?: boolean | undefined;
        readonly tenantsIsNamed?: boolean | undefined;
      }
    | undefined;
  readonly vectorExtension?: VectorExtensionMode | undefined;
  /** The pattern of the tenants' roles, as in RunOptions; absent if they have none. */
  readonly tenantRole?: string | undefined;
  /** The number of tenants in parallel; tenantctl's default if absent. */
  readonly concurrency?: number | undefined;
}

/** Everything that was found. */
export type Facts = Awaited<ReturnType<typeof gatherFacts>>;

/** What is in the database. */
export type Contents = Awaited<ReturnType<typeof readContents>>;

/** Reads all facts. Does not throw: what could not be read is an error beside the others. */
export async function gatherFacts(options: DiagnoseOptions) {
  const { folders } = options;
  return {
    options,
    now: new Date(),
    folders: folders && {
      master: await readFolderFacts(folders.master, folders.masterIsNamed),
      tenants: await readFolderFacts(folders.tenants, folders.tenantsIsNamed),
    },
    ...(await readDatabase(options)),
  };
}

/** The connection; and the contents, if there is one. */
async function readDatabase({
  database: settings,
  databaseNames: names,
  tenantRole,
}: DiagnoseOptions): Promise<{ connection: ConnectionFacts; contents?: Contents }> {
  if (settings === undefined) return { connection: { kind: 'not-configured' } };
  const started = Date.now();
  try {
    return await withDatabase(settings, { maxConnections: 2, names }, async (database) => {
      const durationMs = Date.now() - started;
      const server = await attempt(() => readServerFacts(database));
      const contents = await readContents(database, tenantRole);
      return { connection: { kind: 'open', settings, durationMs, server }, contents };
    });
  } catch (error) {
    return { connection: { kind: 'refused', settings, error: toTenantctlError(error) } };
  }
}

async function readContents(database: Database, pattern: string | undefined) {
  const rights = await attempt(() => readRights(database));
  const vector = await attempt(() => readVectorFacts(database));
  const registry = await attempt(() => readRegistryFacts(database));
  const tenants = registry.facts?.fleet?.tenants ?? [];
  const tenantRole =
    pattern === undefined ? undefined : await attempt(() => readTenantRoleFacts(database, pattern, tenants));
  return { rights, vector, registry, tenantRole };
}
