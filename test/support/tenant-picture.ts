import type { ClientBase } from 'pg';
import { identifier } from '../../src/db/sql.ts';

/**
 * A tenant's objects and rows as sorted lines, which compare between schemas of any name. It is made by questions of its
 * own to PostgreSQL's catalogs, under the schema's search path, and not by what it is to check.
 */
export async function pictureOf(client: ClientBase, schema: string): Promise<string[]> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  try {
    await client.query(`SET LOCAL search_path TO ${identifier(schema)}, public; SET LOCAL extra_float_digits = 1;
      SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO'; SET LOCAL IntervalStyle = 'postgres'`);
    const lines = await linesOf(client, OBJECTS, [schema]);
    for (const { name } of await rowsOf<{ name: string }>(client, TABLES, [schema])) {
      const own = name.startsWith('knex_migrations_tenant');
      // The history says what was applied; the numbers of its rows and its times are Knex's.
      const columns = own ? 't.name, t.batch' : 't';
      if (name !== 'knex_migrations_tenant_lock')
        lines.push(
          ...(
            await linesOf(client, `SELECT (ROW(${columns}))::text AS line FROM ONLY ${identifier(name)} t`)
          ).map((line) => `row of ${name} ${line}`),
        );
    }
    for (const { name } of await rowsOf<{ name: string }>(client, SEQUENCES, [schema]))
      lines.push(
        ...(
          await linesOf(client, `SELECT last_value || ' ' || is_called AS line FROM ${identifier(name)}`)
        ).map((line) => `sequence ${name} stands at ${line}`),
      );
    // Texts that PostgreSQL keeps with the schema's name: the definition of a trigger function's search path, for example.
    return lines
      .map((line) => line.replaceAll(schema, 'TENANT').replaceAll(OWN_TRIGGER, 'tenantctl_unstamp'))
      .toSorted();
  } finally {
    await client.query('ROLLBACK');
  }
}

/** tenantctl's own trigger on a history: its name ends with the schema's hash. */
const OWN_TRIGGER = /tenantctl_unstamp_[0-9a-f]+/g;

async function rowsOf<Row extends object>(
  client: ClientBase,
  text: string,
  values: unknown[] = [],
): Promise<Row[]> {
  const { rows } = await client.query<Row>(text, values);
  return rows;
}

async function linesOf(client: ClientBase, text: string, values: unknown[] = []): Promise<string[]> {
  return (await rowsOf<{ line: string }>(client, text, values)).map(({ line }) => line);
}

const TABLES = `SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relkind IN ('r', 'm') AND c.relispopulated ORDER BY 1`;

const SEQUENCES = `SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relkind = 'S' AND c.relname NOT LIKE 'knex_migrations_tenant%' ORDER BY 1`;

const OBJECTS = `
WITH space AS (SELECT oid FROM pg_namespace WHERE nspname = $1),
  relations AS (SELECT c.* FROM pg_class c JOIN space s ON s.oid = c.relnamespace)
SELECT format('%s %s populated=%s persistence=%s rls=%s,%s replica=%s options=%s acl=%s bound=%s key=%s comment=%s', relkind, relname,
  relispopulated, relpersistence, relrowsecurity, relforcerowsecurity, relreplident, reloptions, relacl, pg_get_expr(relpartbound, oid),
  pg_get_partkeydef(oid), obj_description(oid, 'pg_class')) AS line FROM relations
UNION ALL SELECT format('parent of %s is %s', i.inhrelid::regclass, i.inhparent::regclass)
  FROM pg_inherits i JOIN relations c ON c.oid = i.inhrelid
UNION ALL SELECT format('column %s.%s place=%s %s null=%s identity=%s generated=%s default=%s storage=%s statistics=%s
    collation=%s local=%s acl=%s comment=%s', c.relname, a.attname,
    row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
    a.attidentity, a.attgenerated, pg_get_expr(d.adbin, d.adrelid), a.attstorage, nullif(a.attstattarget, -1), (SELECT collname FROM pg_collation o WHERE o.oid = a.attcollation),
    a.attislocal, a.attacl, col_description(c.oid, a.attnum))
  FROM pg_attribute a JOIN relations c ON c.oid = a.attrelid
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'c')
UNION ALL SELECT format('constraint %s of %s %s: %s deferrable=%s,%s valid=%s comment=%s', k.conname,
    k.conrelid::regclass, k.contypid::regtype, pg_get_constraintdef(k.oid), k.condeferrable, k.condeferred,
    k.convalidated, obj_description(k.oid, 'pg_constraint'))
  FROM pg_constraint k JOIN space s ON s.oid = k.connamespace
UNION ALL SELECT format('index %s valid=%s clustered=%s replica=%s', pg_get_indexdef(i.indexrelid), i.indisvalid,
    i.indisclustered, i.indisreplident) FROM pg_index i JOIN relations c ON c.oid = i.indrelid
UNION ALL SELECT format('view %s %s', oid::regclass, pg_get_viewdef(oid)) FROM relations WHERE relkind IN ('v', 'm')
UNION ALL SELECT format('sequence %s type=%s start=%s by=%s max=%s min=%s cache=%s cycle=%s owner=%s', c.relname,
    q.seqtypid::regtype, q.seqstart, q.seqincrement, q.seqmax, q.seqmin, q.seqcache, q.seqcycle,
    pg_get_serial_owner.owner)
  FROM pg_sequence q JOIN relations c ON c.oid = q.seqrelid
  LEFT JOIN LATERAL (SELECT format('%s.%s %s', d.refobjid::regclass, a.attname, d.deptype) AS owner FROM pg_depend d
    JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0) pg_get_serial_owner ON true
UNION ALL SELECT format('function %s acl=%s', pg_get_functiondef(p.oid), p.proacl)
  FROM pg_proc p JOIN space s ON s.oid = p.pronamespace WHERE p.prokind IN ('f', 'p')
UNION ALL SELECT format('type %s kind=%s base=%s null=%s default=%s labels=%s range=%s', t.oid::regtype, t.typtype,
    format_type(t.typbasetype, t.typtypmod), t.typnotnull, t.typdefault,
    (SELECT array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),
    (SELECT r.rngsubtype::regtype FROM pg_range r WHERE r.rngtypid = t.oid))
  FROM pg_type t JOIN space s ON s.oid = t.typnamespace
UNION ALL SELECT format('trigger of %s enabled=%s %s', c.relname, t.tgenabled, pg_get_triggerdef(t.oid))
  FROM pg_trigger t JOIN relations c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal
UNION ALL SELECT format('system trigger of %s %s enabled=%s', c.relname, k.conname, t.tgenabled)
  FROM pg_trigger t JOIN relations c ON c.oid = t.tgrelid JOIN pg_constraint k ON k.oid = t.tgconstraint WHERE t.tgisinternal
UNION ALL SELECT format('policy %s of %s %s permissive=%s roles=%s using=%s check=%s', o.polname, c.relname, o.polcmd,
    o.polpermissive, o.polroles::regrole[], pg_get_expr(o.polqual, o.polrelid), pg_get_expr(o.polwithcheck, o.polrelid))
  FROM pg_policy o JOIN relations c ON c.oid = o.polrelid
UNION ALL SELECT format('statistics %s', pg_get_statisticsobjdef(x.oid))
  FROM pg_statistic_ext x JOIN space s ON s.oid = x.stxnamespace
UNION ALL SELECT format('rule %s of %s', pg_get_ruledef(r.oid), c.relname)
  FROM pg_rewrite r JOIN relations c ON c.oid = r.ev_class WHERE r.rulename <> '_RETURN'
`;
