import { randomBytes } from 'node:crypto';
import type { PoolClient } from 'pg';
import { identifier, literal } from '../../db/sql.ts';
import { withTransaction } from '../../db/transaction.ts';
import { TenantctlError } from '../../errors.ts';
import { tryPlan, type RehearsedMigration } from '../commands/try-plan.ts';
import type { Migration } from '../files/load.ts';
import type { MigrationFolder } from '../files/source.ts';
import { upgradeState } from '../install/state-schema.ts';
import { NOTHING, planForward } from '../plan/plan.ts';
import { withOutdated } from '../plan/repeatable.ts';
import { grantApplications } from '../roles/application-roles.ts';
import type { RunContext } from '../run/run-context.ts';
import { readShape } from '../shape/read-shapes.ts';
import type { Shape } from '../shape/shape.ts';
import { readStateVersion } from '../state/version.ts';
import { createHistoryTables, EMPTY_HISTORY } from '../target/history.ts';
import { tenantTarget } from '../target/target.ts';
import { namedOnly } from '../tenant/build/named-only.ts';

/** Milliseconds: migrations may lock shared tables, and the application must not wait for long. */
const LOCK_TIMEOUT_MS = 1_000;

/**
 * The shape of a tenant that has these migrations, in their order, and the folder's scripts. It is built in a
 * transaction that is rolled back. Migrations with `transaction: false` run in it, too, without CONCURRENTLY.
 * @throws TenantctlError MIGRATION_FILE_MISSING, and the error of a migration
 */
export async function buildReference(
  context: RunContext,
  folder: MigrationFolder,
  migrations: readonly string[],
): Promise<Shape> {
  const { database } = context;
  const named = namedOnly(folder, migrations);
  if (named instanceof TenantctlError) throw named;
  const schema = `${database.names.schemaPrefix}reference_${randomBytes(4).toString('hex')}`;
  // Each run of it belongs to the login role: owners are not compared, but what differs from the schema's owner.
  const target = tenantTarget(database.names, { clerkOrgId: schema, schema });
  const plans = [
    planForward(named, EMPTY_HISTORY, { allowOutOfOrder: true }),
    withOutdated({ ...NOTHING, isComplete: true }, folder.scripts ?? []),
  ];
  const version = await readStateVersion(database);
  return withTransaction(database, { lockTimeoutMs: LOCK_TIMEOUT_MS }, [], async (transaction) => {
    transaction.abandon();
    const { client } = transaction;
    await upgradeState(client, database.names, version);
    const { historyTable } = target;
    await client.query(
      [`CREATE SCHEMA ${identifier(schema)}`, ...createHistoryTables(schema, historyTable)].join(';\n'),
    );
    const trial = {
      context: { ...context, load: async (file) => inTransaction(await context.load(file)) } as RunContext,
      client: withoutConcurrently(client),
      direction: 'up' as const,
    };
    for (const plan of plans) {
      const { migrations: tried } = await tryPlan(trial, target, plan, []);
      const failed = tried.find(({ error, note }) => error !== undefined || note !== undefined);
      if (failed !== undefined) throw notBuilt(failed);
    }
    await client.query(grantApplications(literal(schema)));
    return readShape(client, schema, database);
  });
}

function notBuilt({ name, error, note }: RehearsedMigration): TenantctlError {
  const message = error?.message ?? note ?? '';
  return new TenantctlError('REFERENCE_FAILED', `What the migrations make could not be built: ${message}`, {
    migration: name,
    ...(error?.sqlstate !== undefined && { sqlstate: error.sqlstate }),
    hint: 'If it cannot run in a transaction that is rolled back, compare with a tenant instead: --reference <org>.',
    cause: error,
  });
}

function inTransaction(migration: Migration): Migration {
  return migration.upInTransaction ? migration : { ...migration, upInTransaction: true };
}

/** What creates, drops or refreshes without a long lock; only outside a transaction. */
const CONCURRENTLY =
  /\b((?:CREATE\s+(?:UNIQUE\s+)?INDEX|DROP\s+INDEX|REFRESH\s+MATERIALIZED\s+VIEW|DETACH\s+PARTITION\s+\S+))\s+CONCURRENTLY\b/gi;

/** The same connection; its statements do the same in a transaction. */
function withoutConcurrently(client: PoolClient): PoolClient {
  const plain = (text: unknown) => (typeof text === 'string' ? text.replaceAll(CONCURRENTLY, '$1') : text);
  const send = client.query.bind(client) as (...sent: unknown[]) => unknown;
  const query = (first: unknown, ...rest: unknown[]): unknown => {
    const isConfig = typeof first === 'object' && first !== null && 'text' in first;
    if (isConfig) Object.assign(first, { text: plain(first.text) });
    return send(isConfig ? first : plain(first), ...rest);
  };
  return new Proxy(client, {
    get: (of, key) => {
      if (key === 'query') return query;
      const value: unknown = Reflect.get(of, key, of);
      return typeof value === 'function' ? value.bind(of) : value;
    },
  });
}
