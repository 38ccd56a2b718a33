import { kind, when, type Part } from './part.ts';

/**
 * SQL for the parameters of sequence q that are not the default
 * (https://www.postgresql.org/docs/current/sql-createsequence.html).
 */
export const SEQUENCE_PARAMETERS = `${when('q.seqincrement <> 1', `' INCREMENT BY ' || q.seqincrement`)}
  || ${when('q.seqmin <> CASE WHEN q.seqincrement > 0 THEN 1 ELSE y.least END', `' MINVALUE ' || q.seqmin`)}
  || ${when('q.seqmax <> CASE WHEN q.seqincrement > 0 THEN y.most ELSE -1 END', `' MAXVALUE ' || q.seqmax`)}
  || ${when('q.seqstart <> CASE WHEN q.seqincrement > 0 THEN q.seqmin ELSE q.seqmax END', `' START WITH ' || q.seqstart`)}
  || ${when('q.seqcache <> 1', `' CACHE ' || q.seqcache`)} || ${when('q.seqcycle', `' CYCLE'`)}`;

/** Sequence `oid` with the limits of its type. */
export function joinSequence(oid: string): string {
  return `JOIN pg_sequence q ON q.seqrelid = ${oid} JOIN (VALUES
    ('int2'::regtype, -32768::bigint, 32767::bigint), ('int4', -2147483648, 2147483647),
    ('int8', -9223372036854775808, 9223372036854775807)) y (type, least, most) ON y.type = q.seqtypid`;
}

/** Those of identity columns are part of the column. */
export const SEQUENCE_PARTS: readonly Part[] = [
  {
    kind: kind('sequence'),
    name: 'r.name',
    sql: `CASE WHEN NOT r.is_identity THEN 'CREATE ' || ${when(`r.relpersistence = 'u'`, `'UNLOGGED '`)} || 'SEQUENCE ' || r.name
      || ${when(`q.seqtypid <> 'int8'::regtype`, `' AS ' || format_type(q.seqtypid, NULL)`)} || ${SEQUENCE_PARAMETERS} END`,
    from: `rels r ${joinSequence('r.oid')} WHERE r.relkind = 'S'`,
    object: ['pg_class', 'r.oid', `'SEQUENCE ' || r.name`],
    owner: 'CASE WHEN NOT r.is_identity THEN r.relowner END',
  },
  {
    kind: kind('sequence owner'),
    name: 'r.name',
    sql: `'ALTER SEQUENCE ' || r.name || ' OWNED BY ' || d.refobjid::regclass || '.' || quote_ident(a.attname)`,
    from: `rels r
      JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = r.oid AND d.objsubid = 0 AND d.deptype = 'a'
        AND d.refclassid = 'pg_class'::regclass
      JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
      WHERE r.relkind = 'S'`,
  },
];
