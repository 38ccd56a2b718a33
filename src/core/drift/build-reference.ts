import { randomBytes } from 'node:crypto';
import type { PoolClient } from 'pg';
import { identifier, literal } from '../../db/sql.ts';
import { withTransaction } from '../../db/transaction.ts';
import { TenantctlError } from '../../errors.ts';
import { tryPlan, type RehearsedMigration } from '../commands/try-plan.ts';
import { runsInTransaction, type Migration } from '../files/load.ts';
import type { MigrationFolder } from '../files/source.ts';
import { upgradeState } from '../install/state-schema.ts';
import { NOTHING, planForward } from '../plan/plan.ts';
import { withOutdated } from '../plan/repeatable.ts';
import { insertRows } from '../registry/register-tenants.ts';
import { assertRegistry } from '../registry/registry-shape.ts';
import { grantApplications } from '../roles/application-roles.ts';
import type { RunContext } from '../run/run-context.ts';
import { readShape } from '../shape/read-shapes.ts';
import type { Shape } from '../shape/shape.ts';
import { readStateVersion } from '../state/version.ts';
import { createHistoryTables, EMPTY_HISTORY } from '../target/history.ts';
import { tenantTarget } from '../target/target.ts';
import { namedOnly } from '../tenant/build/named-only.ts';
import { buildAside, dropLeftReferences, type ReferenceWork } from './build-aside.ts';
import { referenceFailed } from './reference-failed.ts';

/** Milliseconds: migrations may lock shared tables, and the application must not wait for long. */
const LOCK_TIMEOUT_MS = 1_000;

/**
 * The shape of a tenant that has these migrations, in their order, and the folder's scripts. It is built in one
 * transaction, which is rolled back, as a new tenant is built in one. Only if that cannot be, it is built in the
 * transactions that a tenant gets, in a schema that is dropped afterwards.
 * @throws TenantctlError MIGRATION_FILE_MISSING, REFERENCE_FAILED
 */
export async function buildReference(
  { context, folder, observe }: ReferenceWork,
  migrations: readonly string[],
): Promise<Shape> {
  const named = namedOnly(folder, migrations, 'a tenant');
  if (named instanceof TenantctlError) throw named;
  const short = { ...context, lockTimeoutMs: LOCK_TIMEOUT_MS };
  await dropLeftReferences(short, observe);
  const tried = await tryInOneTransaction(short, named);
  if (!('name' in tried)) return tried;
  const failed = [...named.files, ...(folder.scripts ?? [])].find(({ name }) => name === tried.name);
  const isOutside = failed !== undefined && !runsInTransaction(await context.load(failed), 'up');
  if (!isOutside && tried.note === undefined) throw referenceFailed(tried.name, tried.error);
  observe({
    type: 'note',
    message: `${tried.name} cannot run in a transaction that is rolled back: what the migrations make is built in a schema of its own, which is dropped afterwards.`,
  });
  return buildAside({ context: short, folder: named, observe }, migrations);
}

/**
 * Migrations with `transaction: false` run in it, too, without CONCURRENTLY.
 * @returns the migration that failed, with a note if it needs the COMMIT of one before it
 */
async function tryInOneTransaction(
  context: RunContext,
  folder: MigrationFolder,
): Promise<Shape | RehearsedMigration> {
  const { database } = context;
  const { names } = database;
  const id = randomBytes(4).toString('hex');
  const tenant = { clerkOrgId: `org_reference_${id}`, schema: `${names.schemaPrefix}reference_${id}` };
  // Each run of it belongs to the login role: owners are not compared, but what differs from the schema's owner.
  const target = tenantTarget(names, tenant);
  const plans = [
    planForward(folder, EMPTY_HISTORY, { allowOutOfOrder: true }),
    withOutdated({ ...NOTHING, isComplete: true }, folder.scripts ?? []),
  ];
  const version = await readStateVersion(database);
  const registry = await assertRegistry(database);
  const { lockTimeoutMs } = context;
  return withTransaction(database, { lockTimeoutMs }, [], async (transaction) => {
    transaction.abandon();
    const { client } = transaction;
    await upgradeState(client, database, version);
    // A migration may read its tenant's row. A registry that refuses it says nothing of the migrations.
    await client.query('SAVEPOINT tenantctl_row');
    await insertRows(client, names, registry, [tenant]).catch(() =>
      client.query('ROLLBACK TO SAVEPOINT tenantctl_row'),
    );
    const { schema, historyTable } = target;
    const create = [`CREATE SCHEMA ${identifier(schema)}`, ...createHistoryTables(schema, historyTable)];
    await client.query([...database.stayingHere.begin, ...create].join(';\n'));
    const trial = {
      context: { ...context, load: async (file) => inTransaction(await context.load(file)) } as RunContext,
      client: withoutConcurrently(client),
      direction: 'up' as const,
    };
    for (const plan of plans) {
      const { migrations: tried } = await tryPlan(trial, target, plan, []);
      const failed = tried.find(({ error, note }) => error !== undefined || note !== undefined);
      if (failed !== undefined) return failed;
    }
    await client.query(grantApplications(literal(schema)));
    return readShape(client, schema, database);
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
