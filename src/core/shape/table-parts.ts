import { foreignOptions, kind, storageParameters, when, type Part } from './part.ts';

/** A table's columns are rows of their own: schema-sql.ts puts them between the brackets. */
const TABLES: readonly Part[] = [
  {
    kind: `CASE r.relkind WHEN 'f' THEN 'foreign table' ELSE 'table' END`,
    name: 'r.name',
    sql: `'CREATE ' || ${when(`r.relpersistence = 'u'`, `'UNLOGGED '`)} || r.word || ' ' || r.name || ' ()'
      || ${when(`r.relkind = 'p'`, `' PARTITION BY ' || pg_get_partkeydef(r.oid)`)}
      || coalesce((SELECT ' USING ' || quote_ident(m.amname) FROM pg_am m WHERE m.oid = r.relam AND m.amname <> 'heap'), '')
      || coalesce((SELECT ' SERVER ' || quote_ident(v.srvname) || ${foreignOptions('f.ftoptions')}
                   FROM pg_foreign_table f JOIN pg_foreign_server v ON v.oid = f.ftserver WHERE f.ftrelid = r.oid), '')`,
    from: `rels r WHERE r.relkind IN ('r', 'p', 'f')`,
    object: ['pg_class', 'r.oid', `r.word || ' ' || r.name`],
    owner: 'r.relowner',
  },
  {
    kind: kind('typed table'),
    name: 'r.name',
    sql: `r.alter || ' OF ' || format_type(r.reloftype, NULL)`,
    from: 'rels r WHERE r.reloftype <> 0',
  },
  {
    kind: `CASE WHEN r.relispartition THEN 'partition' ELSE 'inheritance' END`,
    name: `r.name || ${when('NOT r.relispartition', `' of ' || h.inhparent::regclass`)}`,
    sql: `CASE WHEN r.relispartition
        THEN 'ALTER TABLE ONLY ' || h.inhparent::regclass || ' ATTACH PARTITION ' || r.name || ' ' || pg_get_expr(r.relpartbound, r.oid, true)
        ELSE 'ALTER TABLE ' || r.name || ' INHERIT ' || h.inhparent::regclass END`,
    from: `rels r JOIN pg_inherits h ON h.inhrelid = r.oid WHERE r.relkind IN ('r', 'p', 'f')`,
    place: 'h.inhseqno',
  },
  {
    kind: kind('row level security'),
    name: 'r.name',
    sql: `r.alter || ' ENABLE ROW LEVEL SECURITY'`,
    from: 'rels r WHERE r.relrowsecurity',
  },
  {
    kind: kind('forced row level security'),
    name: 'r.name',
    sql: `r.alter || ' FORCE ROW LEVEL SECURITY'`,
    from: 'rels r WHERE r.relforcerowsecurity',
  },
  {
    kind: kind('replica identity'),
    name: 'r.name',
    sql: `r.alter || ' REPLICA IDENTITY ' || CASE r.relreplident WHEN 'n' THEN 'NOTHING' WHEN 'f' THEN 'FULL'
      ELSE (SELECT 'USING INDEX ' || quote_ident(c.relname) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
            WHERE i.indrelid = r.oid AND i.indisreplident) END`,
    from: `rels r WHERE r.relkind IN ('r', 'p', 'm') AND r.relreplident <> 'd'`,
  },
];

const VIEWS: readonly Part[] = [
  {
    kind: `CASE r.relkind WHEN 'v' THEN 'view' ELSE 'materialized view' END`,
    name: 'r.name',
    sql: `'CREATE ' || r.word || ' ' || r.name
      || coalesce((SELECT ' USING ' || quote_ident(m.amname) FROM pg_am m WHERE m.oid = r.relam AND m.amname <> 'heap'), '')
      || ${when(`r.relkind = 'v' AND r.reloptions IS NOT NULL`, `' WITH (' || ${storageParameters('r.reloptions')} || ')'`)}
      || E' AS\\n' || rtrim(pg_get_viewdef(r.oid, true), ';')
      || ${when(`r.relkind = 'm'`, `CASE WHEN r.relispopulated THEN E'\\nWITH DATA' ELSE E'\\nWITH NO DATA' END`)}`,
    from: `rels r WHERE r.relkind IN ('v', 'm')`,
    object: ['pg_class', 'r.oid', `r.word || ' ' || r.name`],
    owner: 'r.relowner',
  },
  {
    kind: kind('rule'),
    name: `quote_ident(w.rulename) || ' on ' || r.name`,
    sql: `rtrim(pg_get_ruledef(w.oid, true), ';')`,
    from: `rels r JOIN pg_rewrite w ON w.ev_class = r.oid AND w.rulename <> '_RETURN'`,
    object: ['pg_rewrite', 'w.oid', `'RULE ' || quote_ident(w.rulename) || ' ON ' || r.name`],
  },
  {
    kind: kind('rule state'),
    name: `quote_ident(w.rulename) || ' on ' || r.name`,
    sql: `'ALTER TABLE ' || r.name || CASE w.ev_enabled WHEN 'D' THEN ' DISABLE' WHEN 'A' THEN ' ENABLE ALWAYS' ELSE ' ENABLE REPLICA' END || ' RULE ' || quote_ident(w.rulename)`,
    from: `rels r JOIN pg_rewrite w ON w.ev_class = r.oid AND w.ev_enabled <> 'O'`,
  },
];

/** Of tables and indexes. A tablespace is 0 if it is the database's own. */
const STORAGE: readonly Part[] = [
  {
    kind: kind('storage parameters'),
    name: 'c.name',
    sql: `c.alter || ' SET (' || concat_ws(', ', ${storageParameters('c.reloptions')}, ${storageParameters('o.reloptions', 'toast.')}) || ')'`,
    from: `stored c LEFT JOIN pg_class o ON o.oid = c.reltoastrelid
      WHERE c.reloptions IS NOT NULL OR o.reloptions IS NOT NULL`,
  },
  {
    kind: kind('tablespace'),
    name: 'c.name',
    sql: `c.alter || ' SET TABLESPACE ' || quote_ident(s.spcname)`,
    from: 'stored c JOIN pg_tablespace s ON s.oid = c.reltablespace',
  },
];

export const TABLE_PARTS = [...TABLES, ...VIEWS, ...STORAGE];
