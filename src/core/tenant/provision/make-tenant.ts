import type { PoolClient } from 'pg';
import { toDatabaseError } from '../../../db/database-error.ts';
import { identifier, literal } from '../../../db/sql.ts';
import { withTransaction } from '../../../db/transaction.ts';
import { messageOf, TenantctlError } from '../../../errors.ts';
import type { RunContext } from '../../run/run-context.ts';
import type { Attempt, Earlier } from '../../serve/work.ts';
import { batchBegun } from '../../strategy/apply-task.ts';
import { stillDue, type ApplyOptions } from '../../strategy/migration-work.ts';
import { hooksOfTask } from '../../strategy/task-hooks.ts';
import type { Applied } from '../../apply/assignment.ts';
import { advance } from '../../apply/advance.ts';
import type { MigrationFolder } from '../../files/source.ts';
import { tenantTarget, type Target } from '../../target/target.ts';
import type { History } from '../../target/history.ts';
import type { Plan } from '../../plan/plan.ts';
import type { Observer } from '../../report/event.ts';
import { grantApplications } from '../../roles/application-roles.ts';
import type { PreparedRole } from '../../roles/prepare-roles.ts';
import type { MigrationTask } from '../../fleet/plan-fleet.ts';
import { tenantNotActive } from '../../registry/not-active.ts';
import type { RegistryShape } from '../../registry/registry-shape.ts';
import { setStatus } from '../../registry/status.ts';
import { TRANSITIONS, UNFINISHED } from '../../registry/transitions.ts';
import { seedSteps, type Seed } from '../../plan/plan-seeds.ts';
import { forgetFailure } from '../../state/failures.ts';
import { recordScripts, type Script } from '../../state/scripts.ts';
import { removeTraces } from '../common/traces.ts';
import { tryLock } from '../../../db/advisory-lock.ts';

export interface Provisioning {
  readonly context: RunContext;
  readonly folder: MigrationFolder;
  readonly registry: RegistryShape;
  readonly observe: Observer;
  /** Owners of new schemas, by schema; empty if the login role owns them. */
  readonly roles: ReadonlyMap<string, PreparedRole>;
  /** Run after the migrations, in the transaction that makes the tenant ACTIVE. */
  readonly seeds: readonly Seed[];
}

export async function makeTenant(
  provisioning: Provisioning,
  task: MigrationTask,
  { record }: ApplyOptions,
  earlier: Earlier<Applied>,
): Promise<Attempt<Applied>> {
  const { context, observe } = provisioning;
  const { tenant, plan, part } = task;
  const target = tenantTarget(context.database.names, tenant, context);
  let isNew = false;
  const opening = async (client: PoolClient) => {
    isNew = await createSchema(client, provisioning, target);
  };
  // A failed attempt has dropped the schema.
  const isContinued = part?.isFirst === false && earlier.failure === undefined;
  const attempt = await advance(context, target, {
    direction: 'up',
    decide: (history, done, scripts) => planWithSeeds(provisioning, task, history, done, scripts),
    batch: batchBegun(task, earlier),
    statuses: UNFINISHED,
    opening: isContinued ? undefined : opening,
    hooks: hooksOfTask(context, target, { hooks: 'Provision' }, task, isContinued),
    closing: part?.isLast === false ? [] : closingOf(provisioning, target.schema),
    hasState: true,
    hasTables: tenant.hasHistory,
    planned: plan.steps,
    record,
  });
  if (attempt.kind === 'busy') return attempt;
  if (attempt.kind === 'status') {
    // Another process has finished it while this one waited.
    if (attempt.status === TRANSITIONS.provision.to) return { kind: 'by-peer' };
    const error = tenantNotActive(tenant, attempt.status);
    return { kind: 'failed', error, mayRepeat: false };
  }
  // An uncommitted schema is gone; if one exists, another process created it.
  const isCreated =
    (isNew && attempt.done.isCommitted) ||
    earlier.failure?.done?.isCreated === true ||
    part?.isCreated === true;
  const done: Applied = { ...attempt.done, isCreated };
  // Of another verb, too: its tenant is left as it is.
  if (attempt.kind === 'done' || attempt.error.code === 'TENANT_UNFINISHED') return { ...attempt, done };
  await leaveFailed(provisioning, target, isCreated).catch((error: unknown) => {
    // The row still says PROVISIONING; provisioning again completes the tenant.
    const message = `${target.schema} could not be set FAILED: ${messageOf(error)}`;
    observe({ type: 'warning', message });
  });
  // Dropping the schema also removed the work of migrations outside a transaction.
  return { ...attempt, done: { ...done, names: [] } };
}

/** What is left of the task, under the lock. The last part ends with the seeds. */
function planWithSeeds(
  { folder, seeds }: Provisioning,
  task: MigrationTask,
  history: History,
  done: readonly string[],
  scripts: readonly Script[] | undefined,
): Plan {
  const plan = stillDue(folder, task, history, scripts);
  if (task.part?.isLast === false || plan.problem !== undefined) return plan;
  const left = seedSteps(seeds).filter(({ name }) => !done.includes(name));
  return { ...plan, steps: [...plan.steps, ...left] };
}

/** Makes a new tenant ACTIVE, with the application's rights and its seeds recorded, with the last row of its history. */
export function closingOf(provisioning: Provisioning, schema: string): string[] {
  const { database, run } = provisioning.context;
  const { names } = database;
  const { seeds } = provisioning;
  return [
    ...(seeds.length > 0 ? [recordScripts(seeds, { schema, kind: 'seed', run: run?.id })] : []),
    setStatus(names, provisioning.registry, schema, TRANSITIONS.provision.to),
    forgetFailure(schema),
    // After the history tables, which default privileges would open to the application.
    grantApplications(literal(schema)),
  ];
}

/** Creates a tenant's schema and, if needed, its owner. */
export function createSchemaStatements({ roles }: Pick<Provisioning, 'roles'>, schema: string): string[] {
  const role = roles.get(schema);
  const create = `CREATE SCHEMA ${identifier(schema)}`;
  return role === undefined
    ? [create]
    : [...role.statements, `${create} AUTHORIZATION ${identifier(role.name)}`];
}

/** Under the tenant's lock, unless an earlier attempt left a schema. @returns whether it is new */
async function createSchema(
  client: PoolClient,
  provisioning: Provisioning,
  { schema, clerkOrgId, role }: Target,
): Promise<boolean> {
  const { rows } = await client.query<{ owner: string }>(
    'SELECT pg_get_userbyid(nspowner)::text AS owner FROM pg_namespace WHERE nspname = $1',
    [schema],
  );
  const owner = rows[0]?.owner;
  if (owner !== undefined && role !== undefined && owner !== role)
    throw ownedByAnother(schema, owner, role).with({ tenant: clerkOrgId });
  if (owner !== undefined) {
    const prepared = provisioning.roles.get(schema);
    if (prepared?.isNew === false) for (const statement of prepared.statements) await client.query(statement);
    return false;
  }
  await client.query(createSchemaStatements(provisioning, schema).join(';\n')).catch((error: unknown) => {
    throw toDatabaseError(error, { tenant: clerkOrgId });
  });
  return true;
}

function ownedByAnother(schema: string, owner: string, role: string): TenantctlError {
  return new TenantctlError(
    'TENANT_ROLE_UNUSABLE',
    `The schema ${schema} exists already and belongs to ${owner}, not to ${role}.`,
    {
      hint: `Give it to that role, as a superuser: ALTER SCHEMA ${identifier(schema)} OWNER TO ${identifier(role)}; and then provision again. tenantctl doctor shows the SQL for its objects.`,
    },
  );
}

/** Sets the status FAILED, and drops a schema that this run created and committed. */
async function leaveFailed(provisioning: Provisioning, target: Target, schemaIsOurs: boolean): Promise<void> {
  const { database } = provisioning.context;
  await withTransaction(database, {}, [`SELECT ${tryLock(target.lock)} AS locked`], async (transaction) => {
    const seen = transaction.opening[0]?.rows[0] as { locked: boolean } | undefined;
    // Another run is provisioning the tenant and will set its status.
    if (seen?.locked !== true) return;
    const { rowCount } = await transaction.client.query(
      setStatus(database.names, provisioning.registry, target.schema, TRANSITIONS.provision.failed),
    );
    if (rowCount === 1 && schemaIsOurs) {
      const prepared = provisioning.roles.get(target.schema);
      const role = prepared?.isNew === true ? prepared.name : undefined;
      const run = provisioning.context.run?.id;
      const removal = removeTraces(database.names, { schema: target.schema, role, run });
      await transaction.client.query(removal.join(';\n'));
    }
  });
}
