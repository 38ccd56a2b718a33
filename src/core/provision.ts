import type { PoolClient } from 'pg';
import type { Database } from '../db/connection.ts';
import { toDatabaseError } from '../db/database-error.ts';
import { identifier, literal } from '../db/sql.ts';
import { tryLock, withTransaction } from '../db/transaction.ts';
import { TenantctlError, toTenantctlError } from '../errors.ts';
import { recordFiles } from './checksums.ts';
import { createEngine, type Engine, type EngineOptions } from './engine.ts';
import { createLockWait } from './lock-wait.ts';
import { readTenantFolder, refusePendingMaster } from './plan-fleet.ts';
import { advance } from './migrations/advance.ts';
import { planForward } from './migrations/plan.ts';
import type { MigrationFolder } from './migrations/source.ts';
import { tenantTarget, type Target } from './migrations/target.ts';
import { silent, type Observer } from './observer.ts';
import { assertRegistry, registerTenant, registryColumns } from './registry.ts';
import { schemaNameFor } from './schema-name.ts';
import { ensureState, forgetFailure, recordFailure } from './state.ts';
import { moveExtensions } from './tenant-hygiene.ts';
import { ensureVectorExtension, type VectorExtensionMode } from './vector-extension.ts';

export interface ProvisionOptions extends EngineOptions {
  /** The folder of the tenant migrations; it may be empty. */
  readonly folder: string;
  /** The folder of the master migrations: pending ones there are refused. Not looked at where absent. */
  readonly masterFolder?: string | undefined;
  readonly vectorExtension?: VectorExtensionMode | undefined;
  readonly observe?: Observer | undefined;
}

export interface ProvisionResult {
  readonly clerkOrgId: string;
  /** Empty where the organization id was refused. */
  readonly schema: string;
  readonly outcome: 'provisioned' | 'already-active' | 'failed';
  readonly applied: readonly string[];
  readonly durationMs: number;
  readonly error?: TenantctlError | undefined;
}

/** What a registry that another tool made may lack. */
interface RegistryForm {
  readonly hasUpdatedAt: boolean;
}

/**
 * Makes tenants of organizations: a row in the registry, visible as PROVISIONING from the first moment; the schema,
 * its migrations and ACTIVE in one transaction. A failure leaves FAILED with the reason and no half-made schema;
 * provisioning again finishes the job. An ACTIVE tenant is left as it is.
 * @throws TenantctlError for what keeps the work from beginning; one organization's failure is in its result
 */
export async function provisionTenants(
  database: Database,
  organizationIds: readonly string[],
  options: ProvisionOptions,
): Promise<ProvisionResult[]> {
  const observe = options.observe ?? silent;
  await assertRegistry(database);
  const { folder } = await readTenantFolder({ folder: options.folder, allowEmptyFolder: true });
  if (options.masterFolder !== undefined) await refusePendingMaster(database, options.masterFolder, {});
  await ensureState(database);
  const engine = createEngine(database, options);
  await Promise.all(folder.files.map((file) => engine.load(file)));
  await ensureVectorExtension(database, options.vectorExtension ?? 'auto', observe);

  const registry = { hasUpdatedAt: (await registryColumns(database))?.includes('updated_at') === true };
  const results: ProvisionResult[] = [];
  for (const id of new Set(organizationIds)) {
    if (options.signal?.aborted) break;
    observe({ type: 'phase', message: `Provisioning ${id}` });
    results.push(await provisionOne(engine, registry, folder, id, observe));
  }
  return results;
}

/** provisionTenants for one organization; throws where its result would be a failure. */
export async function provisionTenant(
  database: Database,
  organizationId: string,
  options: ProvisionOptions,
): Promise<ProvisionResult> {
  const [result] = await provisionTenants(database, [organizationId], options);
  if (result === undefined)
    throw new TenantctlError('INTERRUPTED', 'Provisioning was interrupted before it began.');
  if (result.error !== undefined) throw result.error;
  return result;
}

async function provisionOne(
  engine: Engine,
  registry: RegistryForm,
  folder: MigrationFolder,
  clerkOrgId: string,
  observe: Observer,
): Promise<ProvisionResult> {
  const started = Date.now();
  let schema = '';
  try {
    schema = schemaNameFor(clerkOrgId);
    const tenant = await registerTenant(engine.database, clerkOrgId, schema);
    schema = tenant.schema;
    refuseStatus(clerkOrgId, tenant.status);
    const work = await makeTenant(engine, registry, folder, tenantTarget({ clerkOrgId, schema }), observe);
    const applied = new Set(work.applied);
    await recordFiles(
      engine.database,
      'tenants',
      folder.files.filter((file) => applied.has(file.name)),
    );
    return {
      clerkOrgId,
      schema,
      outcome: work.alreadyActive ? 'already-active' : 'provisioned',
      applied: work.applied,
      durationMs: Date.now() - started,
    };
  } catch (error) {
    return {
      clerkOrgId,
      schema,
      outcome: 'failed',
      applied: [],
      durationMs: Date.now() - started,
      error: toTenantctlError(error).with({ tenant: clerkOrgId }),
    };
  }
}

function refuseStatus(clerkOrgId: string, status: string): void {
  if (status === 'ACTIVE' || status === 'PROVISIONING' || status === 'FAILED') return;
  throw new TenantctlError(
    'TENANT_NOT_ACTIVE',
    `The tenant "${clerkOrgId}" is ${status}; it is not provisioned again.`,
    {
      tenant: clerkOrgId,
      hint: `tenantctl tenant show ${clerkOrgId} tells more.`,
    },
  );
}

async function makeTenant(
  engine: Engine,
  registry: RegistryForm,
  folder: MigrationFolder,
  target: Target,
  observe: Observer,
): Promise<{ alreadyActive: boolean; applied: readonly string[] }> {
  const wait = createLockWait(engine);
  let schemaIsOurs = false;
  for (;;) {
    const result = await advance(engine, target, {
      direction: 'up',
      decide: (history) => planForward(folder, history),
      statuses: ['PROVISIONING', 'FAILED'],
      async opening(client) {
        schemaIsOurs = (await createSchema(client, target)) || schemaIsOurs;
      },
      beforeCommit: (client) => moveExtensions(client, target.schema, observe),
      closing: [setStatus(registry, target, 'ACTIVE'), forgetFailure(target.schema)],
      hasState: true,
    });
    switch (result.outcome) {
      case 'done':
        return { alreadyActive: false, applied: result.done };
      case 'status':
        // Another process has finished while this one waited.
        refuseStatus(target.clerkOrgId ?? '', result.status ?? 'gone from the registry');
        return { alreadyActive: true, applied: [] };
      case 'failed': {
        const error = toTenantctlError(result.error);
        // A schema that never was committed has gone with its transaction; another process may have made it since.
        await leaveFailed(engine, registry, target, error, schemaIsOurs && result.isCommitted);
        throw error;
      }
      case 'busy':
        await wait(target.clerkOrgId);
    }
  }
}

/** Creates the schema under the tenant's lock, unless an earlier attempt left one. @returns whether it is new */
async function createSchema(client: PoolClient, target: Target): Promise<boolean> {
  const { rows } = await client.query<{ present: boolean }>(
    'SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1) AS present',
    [target.schema],
  );
  if (rows[0]?.present === true) return false;
  await client.query(`CREATE SCHEMA ${identifier(target.schema)}`).catch((error: unknown) => {
    throw toDatabaseError(error, { tenant: target.clerkOrgId });
  });
  return true;
}

/** FAILED with its reason. The transaction took the schema back; what an untransacted migration left is dropped. */
async function leaveFailed(
  engine: Engine,
  registry: RegistryForm,
  target: Target,
  error: TenantctlError,
  schemaIsOurs: boolean,
): Promise<void> {
  const { database } = engine;
  await withTransaction(database, {}, [`SELECT ${tryLock(target.lock)} AS locked`], async (transaction) => {
    const seen = transaction.opening[0]?.rows[0] as { locked: boolean } | undefined;
    // Somebody else is provisioning it by now, and will say how that ends.
    if (seen?.locked !== true) return;
    const { rowCount } = await transaction.client.query(setStatus(registry, target, 'FAILED'));
    if (rowCount === 1 && schemaIsOurs) {
      await transaction.client.query(`DROP SCHEMA IF EXISTS ${identifier(target.schema)} CASCADE`);
    }
  });
  await recordFailure(database, target.schema, 'tenant provision', error);
}

function setStatus(registry: RegistryForm, target: Target, status: 'ACTIVE' | 'FAILED'): string {
  return `UPDATE public.tenants SET status = ${literal(status)}${registry.hasUpdatedAt ? ', updated_at = now()' : ''}
          WHERE schema_name = ${literal(target.schema)} AND status::text IN ('PROVISIONING', 'FAILED')`;
}
