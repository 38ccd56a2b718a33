import type { PoolClient } from 'pg';
import { identifier, literal, qualified } from '../../../db/sql.ts';
import { tenantId } from '../../state/tenant-ids.ts';
import { type OutsideTies } from '../common/outside-ties.ts';
import type { Before } from './removal-step.ts';

/**
 * DROP locks every object, and the server has room for a limited number of locks
 * (https://www.postgresql.org/docs/current/runtime-config-locks.html): a large schema is dropped in parts. Under another
 * name, nobody finds it between them: what was backed up is all that there was.
 */
export async function putAway(client: PoolClient, schema: string, details: Before): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>(`SELECT ${tenantId(schema)}::text AS id`);
  const away = `tenantctl_removed_${rows[0]?.id}`;
  return [
    `ALTER SCHEMA ${identifier(schema)} RENAME TO ${identifier(away)}`,
    `UPDATE tenantctl.verb_intents SET details = ${literal(JSON.stringify({ ...details, away }))}::jsonb WHERE tenant = ${tenantId(schema)}`,
  ];
}

/** Drops as many tables as take a quarter of the room for locks. */
export async function partOf(
  client: PoolClient,
  away: string,
  { objects, capacity }: OutsideTies,
): Promise<string[]> {
  const tables = await tablesOf(client, away);
  const most = Math.max(1, Math.floor((tables.length * capacity) / (4 * objects)));
  return [`DROP TABLE ${tables.slice(0, most).join(', ')} CASCADE`];
}

/** The quoted names of a schema's tables. */
async function tablesOf(client: PoolClient, schema: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT c.relname::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') ORDER BY 1`,
    [schema],
  );
  return rows.map(({ name }) => qualified(schema, name));
}
