import { IS_SPECIAL_NOT_NULL } from './column-parts.ts';
import { kind, when, type Part } from './part.ts';

const ON_TABLE = `quote_ident(k.conname) || ' on ' || r.name`;

const CONSTRAINTS: readonly Part[] = [
  {
    kind: `CASE k.contype WHEN 'p' THEN 'primary key' WHEN 'u' THEN 'unique constraint' WHEN 'f' THEN 'foreign key'
      WHEN 'x' THEN 'exclusion constraint' WHEN 'n' THEN 'not null constraint' ELSE 'check constraint' END`,
    name: ON_TABLE,
    sql: `CASE WHEN k.contype <> 'n' OR ${IS_SPECIAL_NOT_NULL} THEN
      'ALTER TABLE ' || ${when(`k.contype <> 'f' OR r.relkind <> 'p'`, `'ONLY '`)} || r.name || ' ADD CONSTRAINT ' || quote_ident(k.conname) || ' ' || pg_get_constraintdef(k.oid, true) END`,
    // The foreign keys of partitions are part of the partitioned table's. Triggers are shown as triggers.
    from: `rels r JOIN pg_constraint k ON k.conrelid = r.oid
      WHERE k.contype IN ('p', 'u', 'x', 'c', 'n') OR k.contype = 'f' AND k.conparentid = 0`,
    object: ['pg_constraint', 'k.oid', `'CONSTRAINT ' || quote_ident(k.conname) || ' ON ' || r.name`],
  },
];

const INDEXES: readonly Part[] = [
  {
    kind: kind('index'),
    name: 'i.name',
    sql: `CASE WHEN NOT i.has_constraint THEN pg_get_indexdef(i.oid, 0, true) END`,
    from: 'indexes i',
    object: ['pg_class', 'i.oid', `'INDEX ' || i.name`],
  },
  {
    kind: kind('invalid index'),
    name: 'i.name',
    sql: `'-- The index ' || i.name || ' is INVALID'`,
    from: `indexes i WHERE NOT i.indisvalid`,
  },
  {
    kind: kind('index partition'),
    name: 'i.name',
    sql: `'ALTER INDEX ' || h.inhparent::regclass || ' ATTACH PARTITION ' || i.name`,
    from: 'indexes i JOIN pg_inherits h ON h.inhrelid = i.oid',
  },
  {
    kind: kind('clustering'),
    name: 'i.rel',
    sql: `'ALTER TABLE ' || i.rel || ' CLUSTER ON ' || i.name`,
    from: 'indexes i WHERE i.indisclustered',
  },
  {
    kind: kind('statistics target'),
    name: `i.name || '.' || a.attnum`,
    sql: `'ALTER INDEX ' || i.name || ' ALTER COLUMN ' || a.attnum || ' SET STATISTICS ' || a.attstattarget`,
    from: 'indexes i JOIN pg_attribute a ON a.attrelid = i.oid AND a.attnum > 0 AND a.attstattarget >= 0',
  },
];

function stateOf(flag: string): string {
  return `CASE ${flag} WHEN 'D' THEN ' DISABLE' WHEN 'A' THEN ' ENABLE ALWAYS' ELSE ' ENABLE REPLICA' END || ' TRIGGER '`;
}

/** Clones of a partitioned table's triggers are shown by their state only. Up to version 12 they count as internal. */
function triggers(major: number): readonly Part[] {
  const isOriginal = major < 13 ? 'NOT t.tgisinternal' : 'NOT t.tgisinternal AND t.tgparentid = 0';
  const isClone =
    major < 13
      ? `EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_trigger'::regclass AND d.objid = t.oid AND d.refclassid = 'pg_trigger'::regclass)`
      : 't.tgparentid <> 0';
  const name = `quote_ident(t.tgname) || ' on ' || r.name`;
  return [
    {
      kind: kind('trigger'),
      name,
      sql: 'pg_get_triggerdef(t.oid, true)',
      from: `rels r JOIN pg_trigger t ON t.tgrelid = r.oid WHERE ${isOriginal}`,
      object: ['pg_trigger', 't.oid', `'TRIGGER ' || quote_ident(t.tgname) || ' ON ' || r.name`],
    },
    {
      kind: kind('trigger state'),
      name,
      sql: `'ALTER TABLE ' || r.name || ${stateOf('t.tgenabled')} || quote_ident(t.tgname)`,
      from: `rels r JOIN pg_trigger t ON t.tgrelid = r.oid WHERE (NOT t.tgisinternal OR ${isClone}) AND t.tgenabled <> 'O'`,
    },
    {
      // The names of a foreign key's triggers have oids.
      kind: kind('foreign key state'),
      name: `${ON_TABLE} || ' (triggers on ' || t.tgrelid::regclass || ')'`,
      sql: `'-- ALTER TABLE ' || t.tgrelid::regclass || ${stateOf('t.tgenabled')} || 'of foreign key ' || quote_ident(k.conname)`,
      from: `(SELECT DISTINCT t.tgrelid, t.tgconstraint, t.tgenabled FROM rels r JOIN pg_trigger t ON t.tgrelid = r.oid
          WHERE t.tgisinternal AND t.tgenabled <> 'O') t
        JOIN pg_constraint k ON k.oid = t.tgconstraint AND k.contype = 'f' JOIN rels r ON r.oid = k.conrelid`,
    },
  ];
}

const ROLES = `(SELECT string_agg(m.name, ', ' ORDER BY m.name) FROM (
    SELECT CASE WHEN o.oid = 0 THEN 'PUBLIC' WHEN o.oid = s.nspowner THEN 'tenant_owner' ELSE quote_ident(pg_get_userbyid(o.oid)) END AS name
    FROM unnest(p.polroles) o (oid)) m)`;

const POLICIES: readonly Part[] = [
  {
    kind: kind('policy'),
    name: `quote_ident(p.polname) || ' on ' || r.name`,
    sql: `'CREATE POLICY ' || quote_ident(p.polname) || ' ON ' || r.name || ${when('NOT p.polpermissive', `' AS RESTRICTIVE'`)}
      || CASE p.polcmd WHEN 'r' THEN ' FOR SELECT' WHEN 'a' THEN ' FOR INSERT' WHEN 'w' THEN ' FOR UPDATE' WHEN 'd' THEN ' FOR DELETE' ELSE '' END
      || ${when(`p.polroles <> '{0}'`, `' TO ' || ${ROLES}`)}
      || ${when('p.polqual IS NOT NULL', `' USING (' || pg_get_expr(p.polqual, p.polrelid, true) || ')'`)}
      || ${when('p.polwithcheck IS NOT NULL', `' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid, true) || ')'`)}`,
    from: 'space s CROSS JOIN rels r JOIN pg_policy p ON p.polrelid = r.oid',
    object: ['pg_policy', 'p.oid', `'POLICY ' || quote_ident(p.polname) || ' ON ' || r.name`],
  },
];

/** pg_get_statisticsobjdef writes the schema. */
function statistics(major: number): readonly Part[] {
  const head = `'CREATE STATISTICS '`;
  const qualifiedHead = `${head} || quote_ident(s.nspname) || '.'`;
  return [
    {
      kind: kind('statistics'),
      name: 'quote_ident(x.stxname)',
      sql: `${head} || substr(pg_get_statisticsobjdef(x.oid), length(${qualifiedHead}) + 1)`,
      from: 'space s CROSS JOIN rels r JOIN pg_statistic_ext x ON x.stxrelid = r.oid AND x.stxnamespace = s.oid',
      object: ['pg_statistic_ext', 'x.oid', `'STATISTICS ' || quote_ident(x.stxname)`],
      owner: 'x.stxowner',
    },
    ...(major < 13
      ? []
      : [
          {
            kind: kind('statistics target'),
            name: 'quote_ident(x.stxname)',
            sql: `'ALTER STATISTICS ' || quote_ident(x.stxname) || ' SET STATISTICS ' || x.stxstattarget`,
            from: 'rels r JOIN pg_statistic_ext x ON x.stxrelid = r.oid AND x.stxstattarget >= 0',
          },
        ]),
  ];
}

export function constraintParts(major: number): readonly Part[] {
  return [...CONSTRAINTS, ...INDEXES, ...triggers(major), ...POLICIES, ...statistics(major)];
}
