import type { Client } from 'pg';

/** What a schema holds: definitions by name, and the rows of each table. Its own name is `<schema>` in both. */
export interface SchemaContent {
  readonly definitions: ReadonlyMap<string, string>;
  readonly rows: ReadonlyMap<string, readonly Row[]>;
}

/** A row's columns, each as JSON text. */
export type Row = Readonly<Record<string, string>>;

/** Reads everything in a schema, the history included, but not the trigger that tenantctl puts on it. */
export async function readSchema(
  client: Client,
  schema: string,
  isLeftOut: (name: string) => boolean = () => false,
): Promise<SchemaContent> {
  // Without a search_path, PostgreSQL writes every name with its schema.
  await client.query(`SET search_path TO ''; SET extra_float_digits = 1`);
  const neutral = (text: string) => (schema === 'public' ? text : text.replaceAll(schema, '<schema>'));
  const { rows: found } = await client.query<{ kind: string; name: string; definition: string }>(
    DEFINITIONS,
    [schema],
  );
  const definitions = new Map(
    found
      .filter(({ name }) => !isLeftOut(name.split('.')[0] ?? ''))
      .map(({ kind, name, definition }) => [neutral(`${kind} ${name}`), neutral(definition)]),
  );
  const { rows: tables } = await client.query<{ name: string; reference: string }>(TABLES, [schema]);
  const rows = new Map<string, Row[]>();
  for (const { name, reference } of tables) {
    if (isLeftOut(name)) continue;
    const read = await client.query<{ row: string }>(`SELECT to_jsonb(t)::text AS row FROM ${reference} t`);
    rows.set(
      neutral(name),
      read.rows.map(({ row }) =>
        Object.fromEntries(
          Object.entries(JSON.parse(neutral(row)) as object).map(([column, value]) => [
            column,
            JSON.stringify(value),
          ]),
        ),
      ),
    );
  }
  return { definitions, rows };
}

/** What has rows. A sequence's log_cnt depends on the time of the last checkpoint. */
const TABLES = `
  SELECT relname AS name,
         CASE relkind WHEN 'S' THEN format('(SELECT last_value, is_called FROM %I.%I)', $1::text, relname)
                      ELSE format('%I.%I', $1::text, relname) END AS reference
  FROM pg_class
  WHERE relnamespace = to_regnamespace(quote_ident($1)) AND relkind IN ('r', 'S', 'm') AND relispopulated
  ORDER BY relname`;

const DEFINITIONS = `
  WITH here AS (SELECT oid FROM pg_namespace WHERE nspname = $1),
  own AS (
    SELECT c.* FROM pg_class c WHERE c.relnamespace IN (TABLE here)
  )
  SELECT 'relation' AS kind, relname::text AS name,
         concat_ws(' ', relkind, relpersistence, relowner::regrole, relacl::text, relrowsecurity,
                   relforcerowsecurity, relreplident, reloptions::text, pg_get_expr(relpartbound, oid)) AS definition
  FROM own WHERE relkind <> 'i'
  UNION ALL
  SELECT 'column', c.relname::text || '.' || a.attname,
         concat_ws(' ', row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), format_type(a.atttypid, a.atttypmod),
                   CASE WHEN a.attnotnull THEN 'NOT NULL' END, nullif(a.attidentity, ''), nullif(a.attgenerated, ''),
                   CASE WHEN a.attcollation <> y.typcollation THEN a.attcollation::regcollation END, a.attacl::text,
                   pg_get_expr(d.adbin, d.adrelid))
  FROM own c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type y ON y.oid = a.atttypid
  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
  WHERE c.relkind NOT IN ('i', 'S')
  UNION ALL
  SELECT 'constraint', coalesce(c.relname, t.typname)::text || '.' || conname, concat_ws(' ', pg_get_constraintdef(k.oid), convalidated)
  FROM pg_constraint k LEFT JOIN pg_class c ON c.oid = k.conrelid LEFT JOIN pg_type t ON t.oid = k.contypid
  WHERE k.connamespace IN (TABLE here)
  UNION ALL
  SELECT 'index', t.relname::text || '.' || c.relname, concat_ws(' ', pg_get_indexdef(c.oid), i.indisvalid, i.indisreplident)
  FROM own c JOIN pg_index i ON i.indexrelid = c.oid JOIN pg_class t ON t.oid = i.indrelid
  UNION ALL
  SELECT 'view', relname, pg_get_viewdef(oid) FROM own WHERE relkind IN ('v', 'm')
  UNION ALL
  SELECT 'sequence', c.relname,
         concat_ws(' ', format_type(s.seqtypid, NULL), seqstart, seqincrement, seqmin, seqmax, seqcache, seqcycle,
                   (SELECT refobjid::regclass || '.' || refobjsubid FROM pg_depend
                    WHERE objid = c.oid AND classid = 'pg_class'::regclass AND deptype IN ('a', 'i')
                      AND refclassid = 'pg_class'::regclass LIMIT 1))
  FROM own c JOIN pg_sequence s ON s.seqrelid = c.oid
  UNION ALL
  SELECT 'routine', format('%s(%s)', proname, pg_get_function_identity_arguments(oid)),
         concat_ws(' ', CASE WHEN prokind <> 'a' THEN pg_get_functiondef(oid) END, proowner::regrole, proacl::text)
  FROM pg_proc WHERE pronamespace IN (TABLE here) AND proname NOT LIKE 'tenantctl%'
  UNION ALL
  SELECT 'trigger', c.relname::text || '.' || tgname, concat_ws(' ', pg_get_triggerdef(g.oid), tgenabled)
  FROM own c JOIN pg_trigger g ON g.tgrelid = c.oid WHERE NOT tgisinternal AND tgname NOT LIKE 'tenantctl%'
  UNION ALL
  SELECT 'rule', c.relname::text || '.' || rulename, pg_get_ruledef(r.oid)
  FROM own c JOIN pg_rewrite r ON r.ev_class = c.oid WHERE rulename <> '_RETURN'
  UNION ALL
  SELECT 'policy', c.relname::text || '.' || polname,
         concat_ws(' ', polcmd, polpermissive, polroles::regrole[]::text, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
  FROM own c JOIN pg_policy p ON p.polrelid = c.oid
  UNION ALL
  SELECT 'statistics', stxname, pg_get_statisticsobjdef(oid) FROM pg_statistic_ext WHERE stxnamespace IN (TABLE here)
  UNION ALL
  SELECT 'type', typname,
         concat_ws(' ', typtype, typowner::regrole, typacl::text, format_type(typbasetype, typtypmod), typnotnull, typdefault,
                   (SELECT string_agg(enumlabel, ',' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid))
  FROM pg_type t WHERE typnamespace IN (TABLE here) AND typtype <> 'c' AND typelem = 0
  UNION ALL
  SELECT 'extension', extname, extversion FROM pg_extension WHERE extnamespace IN (TABLE here)
  UNION ALL
  SELECT 'comment', concat_ws('.', c.relname, a.attname), description
  FROM own c JOIN pg_description d ON d.classoid = 'pg_class'::regclass AND d.objoid = c.oid
  LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0
  ORDER BY 1, 2`;
