import { escapeIdentifier } from 'pg';
import type { TestDatabase } from './database.ts';

/** The catalog as comparable lines: schemas, relations, columns, constraints, indexes, types, functions. */
export async function catalogOf(testDatabase: TestDatabase): Promise<string[]> {
  const rows = await testDatabase.query<{ line: string }>(
    `WITH spaces AS (
       SELECT oid, nspname FROM pg_namespace
       WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),
     extensions AS (SELECT objid FROM pg_depend WHERE deptype = 'e')
     SELECT 'schema ' || nspname::text AS line FROM spaces
     UNION ALL
     SELECT 'relation ' || c.oid::regclass || ' ' || c.relkind::text || ' ' || c.relpersistence::text
     FROM pg_class c JOIN spaces s ON s.oid = c.relnamespace WHERE c.oid NOT IN (SELECT objid FROM extensions)
     UNION ALL
     SELECT 'column ' || c.oid::regclass || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
            || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END || ' identity=' || a.attidentity::text
            || ' default=' || coalesce(pg_get_expr(d.adbin, d.adrelid), '')
            || ' place=' || row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum)
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN spaces s ON s.oid = c.relnamespace
     LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
     UNION ALL
     SELECT 'constraint ' || k.conrelid::regclass || ' ' || k.conname || ' ' || pg_get_constraintdef(k.oid)
     FROM pg_constraint k JOIN spaces s ON s.oid = k.connamespace WHERE k.conrelid <> 0
     UNION ALL
     SELECT 'index ' || pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid THEN '' ELSE ' INVALID' END
     FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN spaces s ON s.oid = c.relnamespace
     UNION ALL
     SELECT 'function ' || p.oid::regprocedure FROM pg_proc p JOIN spaces s ON s.oid = p.pronamespace
     WHERE p.oid NOT IN (SELECT objid FROM extensions)
     UNION ALL
     SELECT 'type ' || t.oid::regtype FROM pg_type t JOIN spaces s ON s.oid = t.typnamespace
     WHERE t.typtype IN ('e', 'd') AND t.oid NOT IN (SELECT objid FROM extensions)
     UNION ALL
     SELECT 'trigger ' || pg_get_triggerdef(t.oid) FROM pg_trigger t WHERE NOT t.tgisinternal
     UNION ALL
     SELECT 'extension ' || extname || ' in ' || extnamespace::regnamespace FROM pg_extension
     ORDER BY 1`,
  );
  return rows.map((row) => row.line);
}

/** The catalog and all rows except the ledger's, for tests that nothing changed. */
export async function contentOf(testDatabase: TestDatabase): Promise<string[]> {
  const tables = await testDatabase.query<{ schema: string; name: string }>(
    `SELECT schemaname AS schema, tablename AS name FROM pg_tables
     WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
       AND (schemaname, tablename) NOT IN (('tenantctl', 'runs'), ('tenantctl', 'run_tenants')) ORDER BY 1, 2`,
  );
  const content = await catalogOf(testDatabase);
  for (const { schema, name } of tables) {
    const rows = await testDatabase.query<{ row: string }>(
      `SELECT to_jsonb(t)::text AS row FROM ${escapeIdentifier(schema)}.${escapeIdentifier(name)} t ORDER BY 1`,
    );
    for (const { row } of rows) content.push(`row ${schema}.${name} ${row}`);
  }
  return content;
}
