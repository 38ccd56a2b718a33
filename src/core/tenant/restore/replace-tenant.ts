import type { Names, TenantNames } from '../../../names.ts';
import type { PoolClient } from 'pg';
import { toDatabaseError } from '../../../db/database-error.ts';
import { literal } from '../../../db/sql.ts';
import { tryUnderLock } from '../../commands/try-under-lock.ts';
import { recordInLedger } from '../../ledger/record-in-run.ts';
import { tenantNotActive } from '../../registry/not-active.ts';
import { CHANNEL, statusIn } from '../../registry/status.ts';
import { grantApplications } from '../../roles/application-roles.ts';
import type { Attempt } from '../../serve/work.ts';
import { forgetFailure } from '../../state/failures.ts';
import { forgetScripts } from '../../state/scripts.ts';
import { tenantId } from '../../state/tenant-ids.ts';
import { stampOf } from '../../stamps/stamps.ts';
import { tenantTarget } from '../../target/target.ts';
import {
  restoreInto,
  withoutDone,
  type Restored,
  type RestoreTask,
  type RestoreWork,
} from './attempt-restore.ts';
import { besideBuild } from '../build/beside-build.ts';
import { assertOwn, discardBuild, type Build } from '../build/build-tenant.ts';
import { assertUnreferenced, readOutsideTies } from '../common/outside-ties.ts';
import { lockTables } from '../common/lock-tables.ts';
import { schemaStillNamed } from '../rename/rename-errors.ts';
import { renameSchema } from '../rename/rename-schema.ts';
import { dropBeside, forgetBeside, namesBeside } from '../common/schemas-beside.ts';

/**
 * Builds and fills a schema beside the tenant's, which stays in use, and then gives it the tenant's name in one
 * transaction. Killed before that, the tenant is what it was; afterwards it is what was restored. The schema that was
 * replaced is dropped at the end. What a killed attempt has left is dropped by the next.
 */
export async function attemptReplace(work: RestoreWork, task: RestoreTask): Promise<Attempt<Restored>> {
  const { tenant } = task;
  const { built, replaced } = namesBeside(tenant.schema);
  const seen = await inspect(work, tenant);
  if (seen.kind !== 'done') return withoutDone(seen);
  await dropBeside(work, replaced, 'restore');
  const beside = { ...task, tenant: { ...tenant, schema: built } };
  const restored = await restoreInto(work, beside, {
    build: (build) => besideBuild(build),
    closing: [assertOwn(built, work.context.run?.id)],
  });
  if (restored.kind !== 'done') return restored;
  work.observe({ type: 'phase', message: `Replacing ${tenant.schema}` });
  const swapped = await swap(work, tenant, { built, replaced }, restored.done);
  if (swapped.kind === 'done') await dropBeside(work, replaced, 'restore');
  return swapped.kind === 'failed' && !task.source.mayReopen ? { ...swapped, mayRepeat: false } : swapped;
}

/** Whether the tenant can be replaced, before a schema is built for that. */
function inspect({ context }: RestoreWork, tenant: RestoreTask['tenant']): Promise<Attempt<void>> {
  const { clerkOrgId, schema } = tenant;
  return tryUnderLock(
    context,
    schema,
    async (transaction) => {
      transaction.abandon();
      await assertReplaceable(transaction.client, tenant);
      return { kind: 'done', done: undefined };
    },
    (error) => toDatabaseError(error, { tenant: clerkOrgId }),
  );
}

/**
 * What leads to the tenant from outside would go on to lead to the schema that is dropped.
 * @throws TenantctlError TENANT_REFERENCED
 */
async function assertReplaceable(client: PoolClient, tenant: RestoreTask['tenant']): Promise<void> {
  const { dependents, referrers } = await readOutsideTies(client, tenant.schema);
  assertUnreferenced(tenant, { dependents: [...dependents, ...referrers] });
}

/** Takes back what was built, after a failure. */
export function discardReplacement(build: Build): ReturnType<typeof discardBuild> {
  const beside = besideBuild({ ...build, schema: namesBeside(build.schema).built });
  return discardBuild(beside, [forgetBeside(beside.schema)]);
}

function swap(
  { context }: RestoreWork,
  tenant: RestoreTask['tenant'],
  { built, replaced }: ReturnType<typeof namesBeside>,
  done: Restored,
): Promise<Attempt<Restored>> {
  const { clerkOrgId, schema } = tenant;
  const { database, run } = context;
  return tryUnderLock(
    context,
    schema,
    async (transaction) => {
      const { client } = transaction;
      await client.query(assertOwn(built, run?.id));
      const status = await readStatus(client, tenant, database.names);
      await assertReplaceable(client, tenant);
      await lockTables(client, schema);
      await renameSchema(client, { from: schema, to: replaced });
      const { stale } = await renameSchema(client, { from: built, to: schema });
      if (stale.length > 0)
        throw schemaStillNamed(clerkOrgId, stale, {
          message: "The schema cannot take the tenant's name: its name is in the text of",
          hint: 'Drop the tenant with tenant drop, which backs it up, and restore it without --replace.',
        });
      const [own, beside] = [tenantId(schema), tenantId(built)];
      await transaction.commitWith([
        forgetScripts(schema),
        `UPDATE tenantctl.scripts SET tenant = ${own} WHERE tenant = ${beside}`,
        `UPDATE tenantctl.tenants SET schema_oid = to_regnamespace(quote_ident(${literal(schema)})) WHERE id = ${own}`,
        `UPDATE tenantctl.tenants SET schema_name = ${literal(replaced)} WHERE id = ${beside}`,
        ...stampOf(tenantTarget(database.names, tenant)),
        forgetFailure(schema),
        ...recordInLedger(run?.id, tenant, { direction: 'up', outcome: 'restored' }),
        grantApplications(literal(schema)),
        `SELECT pg_notify('${CHANNEL}', ${literal(clerkOrgId)})`,
      ]);
      return { kind: 'done', done: { ...done, status } };
    },
    (error) => toDatabaseError(error, { tenant: clerkOrgId }),
  );
}

/** @throws TenantctlError TENANT_UNKNOWN if the tenant's row is gone */
async function readStatus(client: PoolClient, tenant: TenantNames, names: Names): Promise<string> {
  const { rows } = await client.query<{ status: string | null }>(
    `SELECT ${statusIn(names, tenant)} AS status`,
  );
  const status = rows[0]?.status ?? null;
  if (status === null) throw tenantNotActive(tenant, null);
  return status;
}
