import type { TenantNames } from '../../../names.ts';
import type { QueryResult } from 'pg';
import { tryLock } from '../../../db/advisory-lock.ts';
import { toDatabaseError } from '../../../db/database-error.ts';
import { isPerTenant, roleNameFor } from '../../../db/role-name.ts';
import type { OpenTransaction } from '../../../db/transaction.ts';
import { tryUnderLock } from '../../commands/try-under-lock.ts';
import { recordInLedger } from '../../ledger/record-in-run.ts';
import { findTenants } from '../../registry/registry.ts';
import type { RegistryShape } from '../../registry/registry-shape.ts';
import { refusedSchema } from '../../registry/registration-errors.ts';
import { renameRow, selectRenameFacts, type RenameFacts } from '../../registry/rename-row.ts';
import type { Observer } from '../../report/event.ts';
import type { RunContext } from '../../run/run-context.ts';
import type { Attempt, Earlier } from '../../serve/work.ts';
import { renameKnown, tenantAmbiguous } from '../../state/tenant-ids.ts';
import { lockOf } from '../../target/lock.ts';
import { lockTables } from '../common/lock-tables.ts';
import { renameSchema, type SchemaRename } from './rename-schema.ts';
import { refusalOfRename, renameRefused, schemaStillNamed } from './rename-errors.ts';

/** A tenant's names before and after; the schema's are equal if it keeps its name. */
export interface Rename {
  readonly registry: RegistryShape;
  readonly from: TenantNames;
  readonly to: TenantNames;
  readonly allowStale: boolean;
  readonly observe: Observer;
}

/** What was renamed besides the tenant's row. */
export interface Renamed extends SchemaRename {
  /** The tenant's own role, if it was renamed with the schema. */
  readonly role?: { readonly former: string; readonly name: string } | undefined;
}

export const UNTOUCHED: Renamed = { functions: [], stale: [] };

/** One try to rename a tenant, in one transaction under the locks of its old and its new schema name. */
export function attemptRename(
  context: RunContext,
  work: Rename,
  { mayBeCommitted }: Earlier<Renamed>,
): Promise<Attempt<Renamed>> {
  return tryUnderLock<Renamed>(
    context,
    work.from.schema,
    async (transaction) => {
      const { client } = transaction;
      const { from, to } = work;
      // Nobody may be making a tenant of the new name.
      const { rows } = await client.query<{ locked: boolean }>(
        `SELECT ${tryLock(lockOf(to.schema))} AS locked`,
      );
      if (rows[0]?.locked !== true) {
        transaction.abandon();
        return { kind: 'busy' };
      }
      if (mayBeCommitted) {
        const [known] = await findTenants(context.database, [to.clerkOrgId]).catch(() => []);
        if (known?.schema === to.schema) {
          transaction.abandon();
          return { kind: 'done', done: UNTOUCHED };
        }
      }
      const done = await renameInTransaction(context, work, transaction);
      if (from.schema !== to.schema) await lockTables(client, to.schema);
      await transaction.commitWith(
        recordInLedger(context.run?.id, to, { direction: 'up', outcome: 'renamed' }),
      );
      return { kind: 'done', done };
    },
    (thrown) => renameRefused(thrown, work),
  );
}

/** Everything but the fence and the ledger. */
export async function renameInTransaction(
  { database, tenantRole }: RunContext,
  { registry, from, to, allowStale, observe }: Rename,
  { client }: OpenTransaction,
): Promise<Renamed> {
  const { names } = database;
  const { rows } = await client.query<RenameFacts>(selectRenameFacts(names, registry, from, to));
  const [facts] = rows;
  const refusal = facts && refusalOfRename(facts, from, to);
  if (facts === undefined || refusal !== undefined)
    throw refusal ?? new Error('the facts are always one row');
  const role = from.schema === to.schema ? undefined : roleToRename(tenantRole, facts.owner, from, to);
  if (from.schema !== to.schema && role === undefined && facts.owner?.includes(from.schema) === true)
    observe({
      type: 'warning',
      message: `The role ${facts.owner}, which is named after ${from.schema}, keeps its name. With TENANT_ROLE it would be renamed, too.`,
    });
  const renamed =
    from.schema === to.schema
      ? UNTOUCHED
      : await renameSchema(client, { from: from.schema, to: to.schema, role });
  if (renamed.stale.length > 0 && !allowStale)
    throw schemaStillNamed(from.clerkOrgId, renamed.stale, {
      message: `The name ${from.schema} is in texts that would not follow a rename:`,
      hint: 'Write a migration that makes them without the name of the schema, which is in the search_path. Or rename with --allow-stale, and correct them at once. Without --with-schema, the schema keeps its name.',
    });
  const text = [renameKnown(from, to), renameRow(names, registry, from, to)].join(';\n');
  const [known, row] = (await client.query(text)) as unknown as QueryResult[];
  if (known?.rowCount !== 1) throw tenantAmbiguous(from);
  if ((row?.rowCount ?? 0) > 1)
    throw refusedSchema({ ...from, sharedBy: `"${from.clerkOrgId}", "${from.clerkOrgId}"` });
  if (row?.rowCount !== 1) throw toDatabaseError(new Error('the row of the tenant was changed meanwhile'));
  return { ...renamed, role };
}

/** The schema's owner, if TENANT_ROLE has named it after the schema. */
function roleToRename(
  pattern: string | undefined,
  owner: string | null,
  from: TenantNames,
  to: TenantNames,
): Renamed['role'] {
  if (pattern === undefined || !isPerTenant(pattern)) return undefined;
  if (owner !== roleNameFor(pattern, from.schema)) return undefined;
  return { former: owner, name: roleNameFor(pattern, to.schema) };
}
