import type { PoolClient } from 'pg';
import { toDatabaseError } from '../../db/database-error.ts';
import { identifier, literal } from '../../db/sql.ts';
import type { Recording } from '../../db/knex/recording.ts';
import type { Around } from '../../db/knex/statement.ts';
import { TenantctlError } from '../../errors.ts';
import type { Migration } from '../files/load.ts';
import { isAllowed } from '../guard/allowed.ts';
import { isOtherTenants } from '../guard/own-objects.ts';
import type { RunContext } from '../run/run-context.ts';
import { MENTIONS_EXTENSION, type ExtensionStatement } from '../statements/extension-statement.ts';
import type { Target } from '../target/target.ts';

interface Installed {
  readonly name: string;
  readonly schema: string;
  readonly isOtherTenants: boolean;
}

interface Call {
  readonly client: PoolClient;
  readonly context: Pick<RunContext, 'readStatements' | 'warnings'>;
  readonly migration: Migration;
  readonly target: Target;
  readonly inTransaction: boolean;
  readonly recording?: Pick<Recording, 'doubt'> | undefined;
  readonly around: Around;
}

/** What a driver answers to a statement without rows. */
const NO_ROWS = { command: '', rowCount: null, oid: 0, rows: [], fields: [] };

/**
 * Sends CREATE EXTENSION and DROP EXTENSION of tenant migrations so that extensions stay in public, where
 * every tenant finds them: a database has each extension only once
 * (docs/decisions/0008-extensions-stay-in-public.md).
 */
export function extensionSender(call: Call): Around {
  const { client, context, migration, target, around } = call;
  if (target.scope === 'master') return around;
  return async <T>(text: string, send: () => Promise<T>): Promise<T> => {
    const statement = MENTIONS_EXTENSION.test(text)
      ? (await context.readStatements(text)).extension
      : undefined;
    if (statement === undefined) return around(text, send);
    // What is installed by then decides what is sent.
    call.recording?.doubt();
    const installed = await readInstalled(client, target, statement.names);
    const { name } = migration.file;
    switch (decide(statement, installed, call)) {
      case 'unavailable':
        throw unavailable(target, name, installed);
      case 'send':
        return around(text, send);
      case 'in-public':
        context.warnings.add(
          `${name} creates the extension ${statement.names.join(', ')}. tenantctl creates it in public, where every tenant finds it. Better: CREATE EXTENSION IF NOT EXISTS ... WITH SCHEMA public, in a master migration.`,
        );
        return inPublic(client, () => around(text, send));
      case 'leave-out':
        context.warnings.add(
          `${name} ${statement.deed}s the extension ${statement.names.join(', ')}. This was left out: ${statement.deed === 'create' ? 'it exists already' : 'all tenants share it. Drop it in a master migration'}.`,
        );
        return NO_ROWS as T;
    }
  };
}

/** What to do with a statement. Pure. */
function decide(
  { deed, schema, mayExist, isCascade }: ExtensionStatement,
  installed: readonly Installed[],
  { target, migration, inTransaction }: Pick<Call, 'target' | 'migration' | 'inTransaction'>,
): 'send' | 'in-public' | 'leave-out' | 'unavailable' {
  const shared = installed.filter((extension) => extension.schema !== target.schema);
  if (deed === 'create') {
    if (installed.some((extension) => extension.isOtherTenants)) return 'unavailable';
    if (installed.length > 0) return mayExist ? 'send' : 'leave-out';
    return schema === undefined ? 'in-public' : 'send';
  }
  // Outside a transaction the guard could not see what CASCADE drops.
  const mayDrop =
    (inTransaction || !isCascade) &&
    shared.every(({ name }) => isAllowed({ identity: identifier(name), isOtherTenants: false }, migration));
  return mayDrop ? 'send' : 'leave-out';
}

async function readInstalled(
  client: PoolClient,
  { schema, role }: Target,
  extensions: readonly string[],
): Promise<Installed[]> {
  // A tenant's role may not call the routine, and cannot use what is in another tenant's schema.
  const isOthers = role === undefined ? isOtherTenants('n.nspname::text', literal(schema)) : 'false';
  const { rows } = await client.query<Installed>(
    `SELECT e.extname::text AS name, n.nspname::text AS schema,
       ${isOthers} AS "isOtherTenants"
     FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
     WHERE e.extname = ANY (ARRAY[${extensions.map(literal).join(', ')}]::text[])`,
  );
  return rows;
}

/** Runs work with public as the search_path. */
async function inPublic<T>(client: PoolClient, work: () => Promise<T>): Promise<T> {
  const isLocal = client.getTransactionStatus() === 'T';
  const { rows } = await client.query<{ path: string }>(
    `SELECT current_setting('search_path') AS path, set_config('search_path', 'public', ${isLocal})`,
  );
  const restore = `SELECT set_config('search_path', ${literal(rows[0]?.path ?? '')}, ${isLocal})`;
  try {
    const result = await work();
    await client.query(restore);
    return result;
  } catch (error) {
    // A transaction that has failed restores it by its rollback.
    if (!isLocal) await client.query(restore);
    throw error;
  }
}

function unavailable(
  { clerkOrgId: tenant }: Target,
  migration: string,
  installed: readonly Installed[],
): TenantctlError {
  const others = installed.filter((extension) => extension.isOtherTenants);
  const places = others.map(({ name, schema }) => `${name} is in ${schema}`).join(', ');
  const moves = others.map(({ name }) => `ALTER EXTENSION ${identifier(name)} SET SCHEMA public;`).join(' ');
  return new TenantctlError(
    'MIGRATION_FAILED',
    `The extension ${places}, the schema of another tenant: ${migration} would not find it.`,
    { tenant, migration, hint: `Move it, as its owner: ${moves} Then run the command again.` },
  );
}

/**
 * Moves extensions from the tenant's schema to public: those that a DO block or a function created.
 * @throws TenantctlError DATABASE_ERROR for one that cannot be moved
 */
export async function moveExtensions(
  context: Pick<RunContext, 'warnings'>,
  client: PoolClient,
  { schema }: Pick<Target, 'schema'>,
): Promise<void> {
  const { rows } = await client.query<Named>(selectExtensionsIn(schema));
  await moveToPublic(context, client, rows);
}

export interface Named {
  readonly name: string;
}

export function selectExtensionsIn(schema: string): string {
  return `SELECT extname::text AS name FROM pg_catalog.pg_extension
     WHERE extnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = ${literal(schema)})`;
}

/** @throws TenantctlError DATABASE_ERROR for one that cannot be moved */
export async function moveToPublic(
  { warnings }: Pick<RunContext, 'warnings'>,
  client: PoolClient,
  extensions: readonly Named[],
): Promise<void> {
  for (const { name } of extensions) {
    const create = `CREATE EXTENSION IF NOT EXISTS ${identifier(name)} WITH SCHEMA public;`;
    await client.query(`ALTER EXTENSION ${identifier(name)} SET SCHEMA public`).catch((error: unknown) => {
      const hint = `Every tenant needs the extension ${name} in public, and it cannot be moved there. Create it there: ${create}`;
      throw toDatabaseError(error, { hint });
    });
    warnings.add(
      `A migration created the extension ${name} in a tenant's schema. It was moved to public, where every tenant finds it. Better, in a master migration: ${create}`,
    );
  }
}
