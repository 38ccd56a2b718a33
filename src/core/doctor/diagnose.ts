import { withDatabase } from '../../db/open.ts';
import { checkOptions } from '../options/check-options.ts';
import { toTenantctlError } from '../../errors.ts';
import { attempt } from './attempt.ts';
import { decide } from './decide.ts';
import type { Contents, DiagnoseOptions, Facts } from './facts.ts';
import { toDiagnosis, type Diagnosis } from './diagnosis.ts';
import { readFolderFacts } from './folders.ts';
import { readRegistryFacts } from './registry-facts.ts';
import { readRights } from './rights.ts';
import { readServerFacts } from './server-facts.ts';
import { readTenantRoleFacts } from './tenant-roles.ts';
import { readVectorFacts } from './vector-check.ts';
import type { Database } from '../../db/database.ts';

/**
 * Checks everything that a run needs: Node, variables, folders and files, the connection, TLS, rights, pgvector, the
 * registry and the histories. Only reads, but runs the top level of the migration files. Does not throw for what it
 * finds: a failed check is part of the result, with its remedy.
 */
export async function diagnose(options: DiagnoseOptions): Promise<Diagnosis> {
  checkOptions(options, 'nodeVersion');
  const { folders } = options;
  const facts = {
    options,
    now: new Date(),
    folders: folders && {
      master: await readFolderFacts(folders.master, folders.masterIsNamed),
      tenants: await readFolderFacts(folders.tenants, folders.tenantsIsNamed),
    },
    ...(await readDatabase(options)),
  };
  return toDiagnosis(decide(facts));
}

async function readDatabase({
  database: settings,
  databaseNames: names,
  tenantRole,
}: DiagnoseOptions): Promise<Pick<Facts, 'connection' | 'contents'>> {
  if (settings === undefined) return { connection: { kind: 'not-configured' }, contents: undefined };
  const started = Date.now();
  try {
    return await withDatabase(settings, { maxConnections: 2, names }, async (database) => {
      const durationMs = Date.now() - started;
      const server = await attempt(() => readServerFacts(database));
      const contents = await readContents(database, tenantRole);
      return { connection: { kind: 'open', settings, durationMs, server }, contents };
    });
  } catch (error) {
    return { connection: { kind: 'refused', settings, error: toTenantctlError(error) }, contents: undefined };
  }
}

async function readContents(database: Database, tenantRole: string | undefined): Promise<Contents> {
  return {
    rights: await attempt(() => readRights(database)),
    vector: await attempt(() => readVectorFacts(database)),
    registry: await attempt(() => readRegistryFacts(database)),
    tenantRole:
      tenantRole === undefined ? undefined : await attempt(() => readTenantRoleFacts(database, tenantRole)),
  };
}
