import { startStopwatch } from '../../stopwatch.ts';
import type { Database, DatabaseSettings } from '../../db/database.ts';
import { withDatabase } from '../../db/open.ts';
import { toTenantctlError } from '../../errors.ts';
import type { Names } from '../../names.ts';
import { STATE_VERSION } from '../install/state-schema.ts';
import type { VectorExtensionMode } from '../install/vector-extension.ts';
import { attempt } from './attempt.ts';
import { readCitusFacts } from './citus-check.ts';
import type { ConnectionFacts } from './connection.ts';
import type { EnvironmentFacts } from './environment-checks.ts';
import { readEditFacts } from './edited-files.ts';
import { readSeedFolder } from '../files/source.ts';
import { readRepeatableFolder } from '../files/repeatable.ts';
import { readFolderFacts, type folderChecks } from './folders.ts';
import { projectKnexVersion } from '../../db/knex/project-knex.ts';
import { readHooksFacts } from './hooks-check.ts';
import { readKnexfile } from './knexfile.ts';
import { readRegistryFacts } from './registry-facts.ts';
import { readRights } from './rights.ts';
import { readServerFacts } from './server-facts.ts';
import { readTenantRoleFacts } from './tenant-roles.ts';
import { readVectorFacts } from './vector-check.ts';

export interface DiagnoseOptions {
  readonly nodeVersion: string;
  /** Not checked if absent. */
  readonly environment?: EnvironmentFacts | undefined;
  /** Checks that need a database are skipped if absent. */
  readonly database: DatabaseSettings | undefined;
  /** DEFAULT_NAMES if absent. */
  readonly databaseNames?: Names | undefined;
  /** Absent if the configuration is unknown. */
  readonly folders?:
    | {
        readonly master: string;
        readonly tenants: string;
        /** A variable sets it: the configuration is wrong if the folder does not exist. */
        readonly masterIsNamed?: boolean | undefined;
        readonly tenantsIsNamed?: boolean | undefined;
        /** Not looked at if absent. */
        readonly seeds?: string | undefined;
        readonly seedsIsNamed?: boolean | undefined;
        readonly repeatable?: string | undefined;
        readonly repeatableIsNamed?: boolean | undefined;
      }
    | undefined;
  /** The paths of the hooks files that were found; more than one is a finding. */
  readonly hooksFiles?: readonly string[] | undefined;
  readonly vectorExtension?: VectorExtensionMode | undefined;
  /** The pattern of the tenants' roles, as in RunOptions; absent if tenants have no roles. */
  readonly tenantRole?: string | undefined;
  /** Tenants in parallel; tenantctl's default if absent. */
  readonly concurrency?: number | undefined;
}

type Folders = Parameters<typeof folderChecks>[0];

export type Facts = Awaited<ReturnType<typeof gatherFacts>>;

export type Contents = Awaited<ReturnType<typeof readContents>>;

/** Does not throw: a failed read is recorded as an error next to the other facts. */
export async function gatherFacts(options: DiagnoseOptions) {
  const folders = options.folders && (await readFolders(options.folders));
  const knexfile = options.folders && readKnexfile(options.folders.tenants);
  const knexVersion = options.folders && projectKnexVersion(options.folders.tenants);
  return {
    options,
    now: new Date(),
    folders,
    hooks: await readHooksFacts(options.hooksFiles ?? []),
    knexfile,
    knexVersion,
    ...(await readDatabase(options, folders)),
  };
}

async function readFolders(paths: NonNullable<DiagnoseOptions['folders']>) {
  const { master, tenants, seeds, repeatable } = paths;
  return {
    master: await readFolderFacts(master, paths.masterIsNamed),
    tenants: await readFolderFacts(tenants, paths.tenantsIsNamed),
    seeds: seeds === undefined ? undefined : await readFolderFacts(seeds, paths.seedsIsNamed, readSeedFolder),
    repeatable:
      repeatable === undefined
        ? undefined
        : await readFolderFacts(repeatable, paths.repeatableIsNamed, readRepeatableFolder),
  };
}

async function readDatabase(
  { database: settings, databaseNames: names, tenantRole }: DiagnoseOptions,
  folders: Folders,
): Promise<{ connection: ConnectionFacts; contents?: Contents }> {
  if (settings === undefined) return { connection: { kind: 'not-configured' } };
  const elapsedMs = startStopwatch();
  try {
    return await withDatabase(settings, { maxConnections: 2, names }, async (database) => {
      const durationMs = elapsedMs();
      const server = await attempt(() => readServerFacts(database));
      const contents = await readContents(database, tenantRole, folders);
      return { connection: { kind: 'open', settings, durationMs, server }, contents };
    });
  } catch (error) {
    return { connection: { kind: 'refused', settings, error: toTenantctlError(error) } };
  }
}

async function readContents(database: Database, pattern: string | undefined, folders: Folders) {
  const citus = await attempt(() => readCitusFacts(database, folders?.tenants));
  const rights = await attempt(() => readRights(database));
  const vector = await attempt(() => readVectorFacts(database));
  const registry = await attempt(() => readRegistryFacts(database));
  const edits = await attempt(() => readEditFacts(database, folders));
  const tenants = registry.facts?.fleet?.tenants ?? [];
  const hasRoutines = registry.facts?.stateVersion === STATE_VERSION;
  const tenantRole =
    pattern === undefined
      ? undefined
      : await attempt(() => readTenantRoleFacts(database, pattern, tenants, hasRoutines));
  return { citus, rights, vector, registry, edits, tenantRole };
}
