import type { TenantNames } from '../../names.ts';
import type { Database } from '../../db/database.ts';
import type { TenantctlError } from '../../errors.ts';
import { startStopwatch } from '../../stopwatch.ts';
import { inRun, type CommandRun } from '../commands/in-run.ts';
import { withScriptsOf } from '../files/repeatable.ts';
import { readMigrationFolder } from '../files/source.ts';
import { prepareState, readState } from '../install/state-schema.ts';
import type { RunEnding } from '../ledger/run-ending.ts';
import { tenantCommand } from '../registry/not-active.ts';
import { registerTenants, type Registration } from '../registry/register-tenants.ts';
import { tenantExists } from '../registry/registration-errors.ts';
import { assertRegistry } from '../registry/registry-shape.ts';
import { TRANSITIONS } from '../registry/transitions.ts';
import { prepareRoles, type PreparedRole } from '../roles/prepare-roles.ts';
import type { RunContext } from '../run/run-context.ts';
import type { ShapeDifference } from '../shape/compare-shapes.ts';
import { assertFinished, type VerbIntent } from '../state/unfinished-verb.ts';
import { selectVerbIntent } from '../state/verb-intents.ts';
import { readTargetFacts } from './restore/restore-target.ts';
import { readCloneSource, type CloneSource } from './clone/clone-source.ts';
import { serveClone, discardClone } from './clone/serve-clone.ts';
import {
  type CloneOptions,
  type CheckedClone,
  checkClone,
  commandOf,
  runOptionsOf,
} from './clone/clone-options.ts';

export interface ClonePlan extends TenantNames {
  readonly source: TenantNames;
  /** In the order in which they are copied; none for the schema only. */
  readonly tables: readonly string[];
  /** Those with rules. */
  readonly masked: readonly string[];
  readonly migrations: readonly string[];
}

export interface CloneResult extends ClonePlan {
  /** The run's number in the ledger; absent if it could not be recorded. */
  readonly run?: number;
  /** Rows that were copied. */
  readonly rows: number;
  /** What the source has and its migrations do not make, or the other way round; with `allowDrift`. */
  readonly differences: readonly ShapeDifference[];
  readonly durationMs: number;
}

/**
 * Makes a new tenant with the schema and the rows of another one, in the same database. The schema is built by the
 * migrations that the source has. The rows are copied from one snapshot, under the locks of both tenants, and compared;
 * then the tenant is ACTIVE. The application goes on in the source. If anything fails, nothing is left of the clone. A
 * clone that was killed is made anew by the same call.
 * @param tenant the source: an organization id or a schema name
 * @param organizationId of the clone
 * @throws TenantctlError before anything is changed TENANT_UNKNOWN, TENANT_NOT_ACTIVE, TENANT_UNFINISHED, TENANT_EXISTS,
 *   MASK_INVALID, CONTENT_UNSUPPORTED, RIGHTS_MISSING, MIGRATION_FILE_MISSING; SHAPE_DIFFERS; TENANT_CHANGED if the source
 *   was migrated meanwhile; LOCK_TIMEOUT; ROWS_DIFFER; and why it cannot be registered
 */
export async function cloneTenant(
  database: Database,
  tenant: string,
  organizationId: string,
  given: CloneOptions,
): Promise<CloneResult> {
  const options = checkClone(database, tenant, organizationId, given);
  const recorded = {
    source: tenant,
    schemaOnly: options.schemaOnly,
    masked: Object.keys(options.mask ?? {}),
  };
  return inRun(
    database,
    'tenant clone',
    { ...runOptionsOf(given), recorded, tenants: [organizationId] },
    (): RunEnding => ({ outcome: 'done', totals: { changed: 1 } }),
    (commandRun) => clone(options, commandRun),
  );
}

/** What cloneTenant would do; nothing is changed. @throws TenantctlError as cloneTenant */
export async function planClone(
  database: Database,
  tenant: string,
  organizationId: string,
  given: CloneOptions,
): Promise<ClonePlan> {
  const options = checkClone(database, tenant, organizationId, given);
  await assertRegistry(database);
  const source = await readCloneSource(database, options);
  const { clerkOrgId, schema: wanted } = options;
  const { intent, status, schema } = await readTargetFacts(database, clerkOrgId, wanted);
  assertFinished(intent, 'clone');
  if (status !== null && intent === null) throw cloneExists({ clerkOrgId, schema, status });
  return toPlan(source, options);
}

/** Begins with what can refuse the clone before anything is changed. */
async function clone(
  options: CheckedClone,
  { context, run, observe }: CommandRun<object>,
): Promise<CloneResult> {
  const elapsedMs = startStopwatch();
  const { database } = context;
  const { clerkOrgId, schema } = options;
  const registry = await assertRegistry(database);
  const source = await readCloneSource(database, options);
  const folder = await withScriptsOf(await readMigrationFolder(options.folder), options.repeatableFolder);
  await prepareState(database, await readState(database), observe);
  const isBegun = await readBegun(database, source.tenant, options);
  // A clone that is refused leaves no run.
  const [registration] = await registerTenants(database, registry, [{ clerkOrgId, schema }]);
  if (registration === undefined) throw new Error('there is one for each organization');
  if (registration.error !== undefined) throw registration.error;
  if (registration.status !== TRANSITIONS.clone.during) throw cloneExists(registration);
  // A row that the application has inserted.
  if (!registration.isKnown) await prepareState(database, await readState(database), observe);
  const build = {
    context,
    clerkOrgId,
    schema: registration.schema,
    folder,
    migrations: source.history.map(({ name }) => name),
    role: undefined,
    statuses: [TRANSITIONS.clone.during],
    verb: 'clone',
    details: { command: commandOf(options), source: source.tenant.clerkOrgId },
  } as const;
  try {
    await run.begin([]);
    const role = await ownerOf(context, registration);
    const target = { clerkOrgId, schema: registration.schema };
    const copy = { context, registry, source, target, options };
    const copied = await serveClone({ ...build, role }, copy, observe);
    return { ...toPlan(source, options), ...copied, durationMs: elapsedMs() };
  } catch (error) {
    await discardClone(build, registration.isNew || isBegun, observe);
    throw error;
  }
}

/** @returns whether a clone of this name was begun and killed @throws TenantctlError TENANT_UNFINISHED */
async function readBegun(database: Database, source: TenantNames, clone: TenantNames): Promise<boolean> {
  const { rows } = await database.query<Record<'source' | 'clone', VerbIntent | null>>(
    `SELECT ${selectVerbIntent(source.schema)} AS source, ${selectVerbIntent(clone.schema)} AS clone`,
  );
  assertFinished(rows[0]?.source);
  assertFinished(rows[0]?.clone, 'clone');
  return rows.some(({ clone: begun }) => begun !== null);
}

/** The role that will own the schema, if there is a TENANT_ROLE. @throws TenantctlError TENANT_ROLE_UNUSABLE */
async function ownerOf(context: RunContext, registration: Registration): Promise<PreparedRole | undefined> {
  const role = (await prepareRoles(context, [registration])).get(registration.schema);
  if (role !== undefined && 'error' in role) throw role.error;
  return role;
}

function toPlan({ tenant, history, content, masked }: CloneSource, options: CheckedClone): ClonePlan {
  const { clerkOrgId, schema, schemaOnly } = options;
  return {
    clerkOrgId,
    schema,
    source: { clerkOrgId: tenant.clerkOrgId, schema: tenant.schema },
    tables: schemaOnly === true ? [] : content.tables.map(({ name }) => name),
    masked,
    migrations: history.map(({ name }) => name),
  };
}

function cloneExists({
  clerkOrgId,
  schema,
  status,
}: Pick<Registration, 'clerkOrgId' | 'schema' | 'status'>): TenantctlError {
  const show = tenantCommand('show', [clerkOrgId]);
  const hint = `It is ${status}. Give the clone another organization id. To see the tenant: ${show}`;
  return tenantExists(clerkOrgId, schema, hint);
}
