import type { Database } from '../../db/database.ts';
import { messageOf, TenantctlError } from '../../errors.ts';
import { startStopwatch } from '../../stopwatch.ts';
import { counted, tenantWord } from '../../wording.ts';
import { inRun, type CommandRun } from '../commands/in-run.ts';
import { checkMask, maskInvalid, needsKey, type Mask } from '../content/mask.ts';
import { withScriptsOf } from '../files/repeatable.ts';
import { readMigrationFolder } from '../files/source.ts';
import { prepareState, readState } from '../install/state-schema.ts';
import type { RunEnding } from '../ledger/recorded-run.ts';
import { checkCall } from '../options/check-call.ts';
import { tenantCommand } from '../registry/not-active.ts';
import { registerTenants, unregisterTenants, type Registration } from '../registry/register-tenants.ts';
import { tenantExists } from '../registry/registration-errors.ts';
import type { Tenant } from '../registry/registry.ts';
import { assertRegistry } from '../registry/registry-shape.ts';
import { newSchemaName } from '../registry/schema-name.ts';
import { TRANSITIONS } from '../registry/transitions.ts';
import type { Observer } from '../report/event.ts';
import { prepareRoles, type PreparedRole } from '../roles/prepare-roles.ts';
import { ONE_LANE } from '../run/lanes.ts';
import type { RunContext, RunOptions } from '../run/run-context.ts';
import { serve } from '../serve/serve.ts';
import type { Attempt, Earlier, Task } from '../serve/work.ts';
import type { ShapeDifference } from '../shape/compare-shapes.ts';
import { assertFinished, selectVerbIntent, type VerbIntent } from '../state/verb-intents.ts';
import { buildTenant, discardBuild, type Build } from './build-tenant.ts';
import { readCloneSource, type CloneSource } from './clone-source.ts';
import { copyTenant, type Copied, type TenantCopy } from './copy-tenant.ts';

export interface CloneOptions extends Omit<RunOptions, 'recordings'> {
  /** The folder of the tenant migrations. */
  readonly folder: string;
  /** Copies no rows: the clone has those that its migrations insert. */
  readonly schemaOnly?: boolean | undefined;
  /** Rules by table and column. Tables without rules are copied as they are. */
  readonly mask?: Mask | undefined;
  /** Without it, a column that no rule names is an error, in a table that has rules. */
  readonly maskRest?: 'keep' | undefined;
  /** The secret of rules that hash or fake, at least 16 characters. It is stored nowhere. */
  readonly maskKey?: string | undefined;
  /** Clones a tenant that is not as its migrations make it: the clone is as they make it. */
  readonly allowDrift?: boolean | undefined;
  readonly observe?: Observer | undefined;
}

type Names = Pick<Tenant, 'clerkOrgId' | 'schema'>;

export interface ClonePlan extends Names {
  readonly source: Names;
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

/** The shortest key. */
const KEY_LENGTH = 16;

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
    (): RunEnding => ({ outcome: 'done', totals: { cloned: 1 } }),
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
  return toPlan(await readCloneSource(database, options), options);
}

/** Without what the run does not need, the key above all. */
function runOptionsOf({
  mask: _mask,
  maskKey: _key,
  maskRest: _rest,
  ...options
}: CloneOptions): Omit<CloneOptions, 'mask' | 'maskKey' | 'maskRest'> {
  return options;
}

type Checked = ReturnType<typeof checkClone>;

function checkClone(database: Database, tenant: string, organizationId: string, given: CloneOptions) {
  const options = checkCall(
    database,
    { ...given, tenant, organizationId },
    'folder',
    'tenant',
    'organizationId',
  );
  const mask = options.mask === undefined ? undefined : checkMask(options.mask);
  if (options.schemaOnly === true && mask !== undefined)
    throw new TenantctlError('USAGE', 'A clone of the schema only has no rows to mask.');
  if (mask !== undefined && needsKey(mask) && (options.maskKey ?? '').length < KEY_LENGTH)
    throw maskInvalid([
      `Rules that hash or fake need a secret key of at least ${KEY_LENGTH} characters. Set TENANT_MASK_KEY.`,
    ]);
  return {
    ...options,
    mask,
    clerkOrgId: organizationId,
    schema: newSchemaName(database.names, organizationId),
  };
}

/** Begins with what can refuse the clone before anything is changed. */
async function clone(options: Checked, { context, run, observe }: CommandRun<object>): Promise<CloneResult> {
  const elapsedMs = startStopwatch();
  const { database } = context;
  const { clerkOrgId, schema } = options;
  const registry = await assertRegistry(database);
  const source = await readCloneSource(database, options);
  const folder = await withScriptsOf(await readMigrationFolder(options.folder), options.repeatableFolder);
  await prepareState(database, await readState(database), observe);
  const isBegun = await readBegun(database, source.tenant, options);
  await run.begin([]);
  const [registration] = await registerTenants(database, registry, [{ clerkOrgId, schema }]);
  if (registration === undefined) throw new Error('there is one for each organization');
  if (registration.error !== undefined) throw registration.error;
  if (registration.status !== TRANSITIONS.clone.during) throw cloneExists(registration);
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
    const role = await ownerOf(context, registration);
    const target = { clerkOrgId, schema: registration.schema };
    const copy = { context, registry, source, target, options };
    const copied = await buildAndCopy({ ...build, role }, copy, observe);
    return { ...toPlan(source, options), ...copied, durationMs: elapsedMs() };
  } catch (error) {
    await takeBack(build, registration.isNew || isBegun, observe);
    throw error;
  }
}

/** Builds once; copies until that succeeds, fails for good, or the run is stopped. */
async function buildAndCopy(build: Build, copy: TenantCopy, observe: Observer): Promise<Copied> {
  const { context, clerkOrgId, schema } = build;
  let isBuilt = false;
  const attempt = async (_task: object, earlier: Earlier<Copied>): Promise<Attempt<Copied>> => {
    if (!isBuilt) {
      observe({
        type: 'phase',
        message: `Building ${clerkOrgId} by ${counted(build.migrations.length, 'migration')}`,
      });
      const built = await buildTenant(build);
      if (built.kind === 'failed')
        return { kind: 'failed', error: built.error, mayRepeat: built.mayRepeat, pid: built.pid };
      if (built.kind !== 'done') return { kind: 'busy' };
      isBuilt = true;
    }
    observe({ type: 'phase', message: `Copying ${copy.source.tenant.clerkOrgId} into ${clerkOrgId}` });
    return copyTenant(copy, earlier);
  };
  const tenant = { clerkOrgId, schema };
  const { outcomes } = await serve<Task, Copied>(context, [{ tenant }], {
    lanes: ONE_LANE,
    observe,
    attempt,
    ledger: { command: 'tenant clone', direction: 'up', areStanding: true },
  });
  const [outcome] = outcomes;
  if (outcome?.kind === 'done') return outcome.done;
  if (outcome?.kind === 'failed') throw outcome.error;
  throw new TenantctlError(
    'INTERRUPTED',
    'The run was stopped before the tenant was cloned. Nothing is left of the clone.',
  );
}

/** Nothing is left of a clone that failed. If that fails, too, the clone is unfinished: the same command makes it anew. */
async function takeBack(build: Build, isOurRow: boolean, observe: Observer): Promise<void> {
  const { context, clerkOrgId, schema } = build;
  try {
    const discarded = await discardBuild(build, []);
    if (discarded.kind === 'failed') throw discarded.error;
    if (isOurRow) await unregisterTenants(context.database, [clerkOrgId]);
  } catch (error) {
    const message = `${schema} could not be taken back, and stays unfinished: ${messageOf(error)}`;
    observe({ type: 'warning', message });
  }
}

/** @returns whether a clone of this name was begun and killed @throws TenantctlError TENANT_UNFINISHED */
async function readBegun(database: Database, source: Names, clone: Names): Promise<boolean> {
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

function toPlan({ tenant, history, content, masked }: CloneSource, options: Checked): ClonePlan {
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

function cloneExists({ clerkOrgId, schema, status }: Registration): TenantctlError {
  const show = tenantCommand('show', [clerkOrgId]);
  const hint = `It is ${status}. Give the clone another organization id. To see the tenant: ${show}`;
  return tenantExists(clerkOrgId, schema, hint);
}

/** What ends a clone that was killed. */
function commandOf({ tenant, clerkOrgId, schemaOnly, mask, maskRest, allowDrift }: Checked): string {
  const words = [tenant, clerkOrgId].map(tenantWord);
  const guard = words.some((word) => word.startsWith('-')) ? ['--'] : [];
  return [
    'tenantctl tenant clone',
    ...(schemaOnly === true ? ['--schema-only'] : []),
    ...(mask === undefined ? [] : ['--mask <file>']),
    ...(maskRest === undefined ? [] : ['--mask-rest keep']),
    ...(allowDrift === true ? ['--allow-drift'] : []),
    ...guard,
    ...words,
  ].join(' ');
}
