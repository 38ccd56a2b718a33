import type { QueryResultRow } from 'pg';
import { toDatabaseError } from '../../../db/database-error.ts';
import { literal } from '../../../db/sql.ts';
import { TenantctlError } from '../../../errors.ts';
import type { TenantStatus } from '../../../names.ts';
import { advance } from '../../apply/advance.ts';
import type { Applied } from '../../apply/assignment.ts';
import { tryUnderLock } from '../../commands/try-under-lock.ts';
import type { MigrationFolder } from '../../files/source.ts';
import { planForward, type Plan } from '../../plan/plan.ts';
import { outdatedFiles, withOutdated } from '../../plan/repeatable.ts';
import { tenantCommand, tenantNotActive } from '../../registry/not-active.ts';
import { tenantExists } from '../../registry/registration-errors.ts';
import { statusIn } from '../../registry/status.ts';
import type { PreparedRole } from '../../roles/prepare-roles.ts';
import type { RunContext } from '../../run/run-context.ts';
import type { Attempt, Failure } from '../../serve/work.ts';
import type { Script } from '../../state/scripts.ts';
import { tenantId } from '../../state/tenant-ids.ts';
import type { LongVerb, VerbIntent } from '../../state/unfinished-verb.ts';
import { beginVerb, endVerb, isAtWorkElsewhere } from '../../state/verb-intents.ts';
import { EMPTY_HISTORY, type History } from '../../target/history.ts';
import { tenantTarget } from '../../target/target.ts';
import { createSchemaStatements } from '../provision/make-tenant.ts';
import { removeTraces } from '../common/traces.ts';
import { namedOnly } from './named-only.ts';

/** A schema to build for a tenant that is registered and has none, or has one that the same verb has left unfinished. */
export interface Build {
  readonly context: RunContext;
  readonly clerkOrgId: string;
  readonly schema: string;
  /** With the scripts that are applied after the migrations; none if absent. */
  readonly folder: MigrationFolder;
  /** The names of the migrations to run, in the order in which the source ran them: it decides the order of columns. */
  readonly migrations: readonly string[];
  /** The owner of the schema; absent if the login role owns it. */
  readonly role: PreparedRole | undefined;
  /** The statuses in which the tenant may be, before and after `opening`; absent for a schema beside the tenant's. */
  readonly statuses?: readonly TenantStatus[];
  /** Statements that are sent before the intent is recorded. */
  readonly preparing?: readonly string[];
  /** Statements that go with the intent, under the tenant's lock: they change the status, for example. */
  readonly opening?: readonly string[] | undefined;
  readonly verb: LongVerb;
  /** What the verb's intent remembers. */
  readonly details: VerbIntent['details'];
}

/**
 * Builds the schema of a tenant by migrations, at the version of another schema. The tenant is left with the verb's
 * intent: nothing else touches it until the caller ends the verb, or `discardBuild` takes everything back. What an
 * earlier attempt has left is dropped first.
 *
 * The intent is committed first, then the migrations in one transaction (more if one runs outside a transaction), as
 * `tenant provision` does it: guarded, under the tenant's lock. Rows are put in by a transaction of the caller's. The
 * guard does not have to look at them, then, and a migration outside a transaction needs a schema that is committed.
 * No seeds are run, and no hooks are called.
 * @returns `busy` if another run has the tenant's lock, or is at work on the same verb
 */
export async function buildTenant(build: Build): Promise<Attempt<Applied>> {
  const { context, clerkOrgId, schema, role, verb, statuses } = build;
  const folder = namedOnly(build.folder, build.migrations);
  if (folder instanceof TenantctlError) return failed(folder);
  const begun = await begin(build);
  if (begun.kind !== 'done') return begun;
  const decide = (history: History, scripts?: readonly Script[]): Plan =>
    withOutdated(planForward(folder, history, { allowOutOfOrder: true }), outdatedFiles(folder, scripts));
  const target = tenantTarget(
    context.database.names,
    { clerkOrgId, schema, owner: role?.name ?? null },
    context,
  );
  // The ledger has the verb, and not its migrations: the tenant had them before.
  const attempt = await advance({ ...context, run: undefined }, target, {
    direction: 'up',
    verb,
    ...(statuses !== undefined && { statuses }),
    decide: (history, _done, scripts) => decide(history, scripts),
    opening: async (client) => {
      const roles = new Map(role === undefined ? [] : [[schema, role]]);
      await client.query(createSchemaStatements({ roles }, schema).join(';\n'));
    },
    hasState: true,
    planned: decide(EMPTY_HISTORY).steps,
  });
  if (attempt.kind !== 'status') return attempt;
  return failed(tenantNotActive({ clerkOrgId }, attempt.status));
}

/**
 * Takes back what `buildTenant` has made: the schema, its role if it is new, and the intent. Nothing is done if another
 * run has taken over.
 * @param closing statements that go with it: they delete the tenant's row, or put its status back
 */
export async function discardBuild(
  { context, clerkOrgId, schema, role, verb }: Build,
  closing: readonly string[],
): Promise<Attempt<void>> {
  const { database, run } = context;
  const removal = removeTraces(database.names, {
    schema,
    role: role?.isNew === true ? role.name : undefined,
    run: run?.id,
  });
  return tryUnderLock(
    context,
    schema,
    async (transaction) => {
      const { rows } = await transaction.client.query(selectOwn(schema, run?.id));
      if (rows.length === 0) transaction.abandon();
      else await transaction.commitWith([...removal, endVerb(schema), ...closing]);
      return { kind: 'done', done: undefined };
    },
    (error) => toDatabaseError(error, { tenant: clerkOrgId }),
    verb,
  );
}

/** Selects a row if the tenant's intent is that of this run: another one may have taken over from a run that seemed dead. */
function selectOwn(schema: string, run: number | undefined): string {
  return `SELECT FROM tenantctl.verb_intents WHERE tenant = ${tenantId(schema)} AND run IS NOT DISTINCT FROM ${run ?? 'NULL'}`;
}

/** A statement that fails (22012, division by zero) if the tenant's intent is not that of this run. */
export function assertOwn(schema: string, run: number | undefined): string {
  return `SELECT 1 / count(*) FROM (${selectOwn(schema, run)}) own`;
}

interface Found extends QueryResultRow {
  readonly status: string | null;
  readonly has_schema: boolean;
  readonly is_begun: boolean;
  readonly is_at_work: boolean;
}

/** Records the intent, and drops what an earlier attempt has left. */
function begin(build: Build): Promise<Attempt<Applied>> {
  const { context, clerkOrgId, schema, verb, statuses, details, preparing = [], opening = [] } = build;
  const { database, run } = context;
  return tryUnderLock(
    context,
    schema,
    async (transaction) => {
      const { rows } = await transaction.client.query<Found>(selectFound(build));
      const [found] = rows;
      if (found?.is_at_work === true) {
        transaction.abandon();
        return { kind: 'busy' };
      }
      const status = found?.status ?? null;
      if (statuses?.some((word) => word === status) === false) throw tenantNotActive({ clerkOrgId }, status);
      if (found?.has_schema === true && !found.is_begun)
        throw tenantExists(clerkOrgId, schema, seeTenant(clerkOrgId));
      await transaction.commitWith([
        ...(found?.is_begun === true ? removeTraces(database.names, { schema }) : []),
        ...preparing,
        beginVerb(schema, { verb, details, ...(run?.id !== undefined && { run: run.id }) }),
        ...opening,
      ]);
      return { kind: 'done', done: { names: [], batch: 0, isCommitted: true } };
    },
    (error) => toDatabaseError(error, { tenant: clerkOrgId }),
    verb,
  );
}

function selectFound({ context: { database, run }, clerkOrgId, schema }: Build): string {
  return `SELECT
    ${statusIn(database.names, { clerkOrgId, schema })} AS status,
    EXISTS (SELECT FROM pg_namespace WHERE nspname = ${literal(schema)}) AS has_schema,
    EXISTS (SELECT FROM tenantctl.verb_intents i WHERE i.tenant = ${tenantId(schema)}) AS is_begun,
    ${isAtWorkElsewhere(schema, run?.id)} AS is_at_work`;
}

function seeTenant(clerkOrgId: string): string {
  return `To see the tenant: ${tenantCommand('show', [clerkOrgId])}`;
}

function failed(error: TenantctlError): Failure<never> {
  return { kind: 'failed', error, mayRepeat: false };
}
