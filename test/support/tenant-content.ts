import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import type { TestFleet } from './fleet.ts';

/** These tenants' contents (contentsOfSchemas). */
export function contentsOf(
  fleet: Pick<TestFleet, 'query'>,
  organizations: readonly string[],
): Promise<string[][]> {
  return contentsOfSchemas(fleet, organizations.map(schemaNameFor));
}

/** Catalogs, rows and histories as lines that compare between tenants: without schema names and times. */
export async function contentsOfSchemas(
  database: Pick<TestFleet, 'query'>,
  schemas: readonly string[],
): Promise<string[][]> {
  const rows = await database.query<{ schema: string; line: string }>(
    `WITH spaces AS (SELECT oid, nspname::text AS schema FROM pg_namespace WHERE nspname = ANY ($1))
     SELECT schema, format('relation %s %s %s options=%s owner=%s acl=%s', c.relname, c.relkind, c.relpersistence,
            c.reloptions, c.relowner::regrole, c.relacl) || coalesce(' comment ' || obj_description(c.oid), '') AS line
     FROM pg_class c JOIN spaces s ON s.oid = c.relnamespace
     UNION ALL
     SELECT schema, format('column %s.%s %s null=%s identity=%s generated=%s default=%s place=%s comment=%s', c.relname,
            a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull, a.attidentity, a.attgenerated,
            pg_get_expr(d.adbin, d.adrelid), row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum),
            col_description(c.oid, a.attnum))
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN spaces s ON s.oid = c.relnamespace
     LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
     UNION ALL
     SELECT schema, format('constraint %s %s %s valid=%s', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid), k.convalidated)
     FROM pg_constraint k JOIN spaces s ON s.oid = k.connamespace
     UNION ALL
     SELECT schema, format('index %s valid=%s', pg_get_indexdef(i.indexrelid), i.indisvalid)
     FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN spaces s ON s.oid = c.relnamespace
     UNION ALL
     SELECT schema, format('view %s %s', c.relname, pg_get_viewdef(c.oid))
     FROM pg_class c JOIN spaces s ON s.oid = c.relnamespace WHERE c.relkind IN ('v', 'm')
     UNION ALL
     SELECT schema, format('sequence %s %s last=%s', q.sequencename, q.increment_by, q.last_value)
     FROM pg_sequences q JOIN spaces s ON s.schema = q.schemaname
     WHERE q.sequencename NOT LIKE 'knex_migrations_tenant%'
     UNION ALL
     SELECT schema, 'function ' || pg_get_functiondef(p.oid)
     FROM pg_proc p JOIN spaces s ON s.oid = p.pronamespace WHERE p.prokind IN ('f', 'p')
     UNION ALL
     SELECT schema, format('type %s %s', t.typname, (SELECT array_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid))
     FROM pg_type t JOIN spaces s ON s.oid = t.typnamespace WHERE t.typtype IN ('e', 'd')
     UNION ALL
     SELECT schema, format('trigger %s enabled=%s', pg_get_triggerdef(t.oid), t.tgenabled)
     FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN spaces s ON s.oid = c.relnamespace WHERE NOT t.tgisinternal
     UNION ALL
     SELECT schema, format('row %s %s', c.relname, r) FROM pg_class c JOIN spaces s ON s.oid = c.relnamespace,
       unnest(xpath('//r/text()', query_to_xml(format(
         'SELECT to_jsonb(t)%s::text AS r FROM %s t ORDER BY 1',
         CASE c.relname WHEN 'knex_migrations_tenant' THEN ' - ''id'' - ''migration_time''' END, c.oid::regclass), true, false, ''))::text[]) AS r
     WHERE c.relkind IN ('r', 'p', 'm')
     ORDER BY 1, 2`,
    [schemas],
  );
  return schemas.map((schema) =>
    rows
      .filter((row) => row.schema === schema)
      .map(({ line }) =>
        line
          .replaceAll(schema, 'TENANT')
          .replaceAll(/tenantctl_unstamp_[0-9a-f]{10}/g, 'tenantctl_unstamp_OF_TENANT')
          .replaceAll(/\d{4}-\d\d-\d\d[T ][\d:.]+(\+\d\d(:?\d\d)?)?/g, 'MOMENT'),
      )
      .toSorted(),
  );
}
