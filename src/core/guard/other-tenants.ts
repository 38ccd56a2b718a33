import type { PoolClient } from 'pg';
import { literal } from '../../db/sql.ts';
import { SYSTEM_SCHEMA } from '../registry/schema-name.ts';
import { isOtherTenants } from './own-objects.ts';

/**
 * Which of these schemas are other tenants'. Asks on the migration's own connection: any other would wait if the
 * migration has locked the registry. A failed transaction cannot be queried.
 */
export async function otherTenants(
  client: PoolClient,
  own: string,
  schemas: readonly string[],
): Promise<readonly string[]> {
  const asked = [...new Set(schemas)].filter((schema) => schema !== own && !SYSTEM_SCHEMA.test(schema));
  if (asked.length === 0 || client.getTransactionStatus() === 'E') return [];
  const { rows } = await client.query<{ name: string }>(
    `SELECT s.name FROM unnest(ARRAY[${asked.map(literal).join(', ')}]::text[]) AS s (name) WHERE ${isOtherTenants('s.name', literal(own))}`,
  );
  return rows.map(({ name }) => name);
}
