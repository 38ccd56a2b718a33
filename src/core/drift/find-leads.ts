import { HASH_LENGTH, type Names } from '../../names.ts';
import type { Database } from '../../db/database.ts';
import { registrySql } from '../registry/registry-sql.ts';
import type { Shape } from '../shape/shape.ts';
import type { Lead } from './cohort.ts';

/** All schemas of the registry, whatever the status of their tenants. */
export async function readTenantSchemas(database: Database): Promise<ReadonlySet<string>> {
  const { table, schema } = registrySql(database.names);
  const { rows } = await database.query<{ schema: string }>(
    `SELECT DISTINCT ${schema}::text AS schema FROM ${table} WHERE ${schema} IS NOT NULL`,
  );
  return new Set(rows.map((row) => row.schema));
}

/** An identifier, and whether it qualifies another one. */
const IDENTIFIER = /(?:"((?:[^"]|"")+)"|([\p{L}_][\p{L}\p{N}_$]*))(\s*\.)?/gu;

/**
 * The objects that name another tenant's schema: as the server's dependencies, such as a foreign key, or in a text, such
 * as the body of a function. A name that is not a hash must qualify another one, and be no table of the schema. Pure.
 */
export function findLeads(shape: Shape, schemas: ReadonlySet<string>, { schemaPrefix }: Names): Lead[] {
  const tables = new Set(shape.objects.map(({ name }) => name));
  const isHash = (word: string) =>
    word.length === schemaPrefix.length + HASH_LENGTH && word.startsWith(schemaPrefix);
  return shape.objects.flatMap(({ kind, name, sql }) => {
    const named = new Set<string>();
    for (const [, quoted, plain, dot] of sql.matchAll(IDENTIFIER)) {
      const word = quoted?.replaceAll('""', '"') ?? plain ?? '';
      if (word === shape.schema || !schemas.has(word)) continue;
      if (isHash(word) || (dot !== undefined && !tables.has(word))) named.add(word);
    }
    return [...named].map((schema) => ({ kind, name, schema }));
  });
}
