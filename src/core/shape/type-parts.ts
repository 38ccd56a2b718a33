import { collate, collationName, kind, when, type Part } from './part.ts';

const TYPE = { name: 'y.name', owner: 'y.typowner' };
const asType = (target: string) => ['pg_type', 'y.oid', `'${target} ' || y.name`] as const;

const CREATE_ENUM = `'CREATE TYPE ' || y.name || ' AS ENUM ('
  || coalesce((SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = y.oid), '') || ')'`;

const CREATE_COMPOSITE = `'CREATE TYPE ' || y.name || ' AS ('
  || coalesce((SELECT string_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod) || ${collate('a.attcollation', 't.typcollation')}, ', ' ORDER BY a.attnum)
      FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
      WHERE a.attrelid = y.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '') || ')'`;

const CREATE_DOMAIN = `'CREATE DOMAIN ' || y.name || ' AS ' || format_type(y.typbasetype, y.typtypmod)
  || ${collate('y.typcollation', '(SELECT b.typcollation FROM pg_type b WHERE b.oid = y.typbasetype)')}
  || ${when('y.typdefault IS NOT NULL', `' DEFAULT ' || coalesce(pg_get_expr(y.typdefaultbin, 0, true), quote_literal(y.typdefault))`)}
  || ${when('y.typnotnull', `' NOT NULL'`)}`;

/** The multirange has its default name unless it was given another (https://www.postgresql.org/docs/current/sql-createtype.html). */
function createRange(major: number): string {
  const multirange =
    major < 14
      ? ''
      : `|| coalesce((SELECT ', MULTIRANGE_TYPE_NAME = ' || quote_ident(m.typname) FROM pg_type m WHERE m.oid = g.rngmultitypid
          AND m.typname <> CASE WHEN y.typname ~ 'range' THEN regexp_replace(y.typname, 'range', 'multirange') ELSE y.typname || '_multirange' END), '')`;
  return `(SELECT 'CREATE TYPE ' || y.name || ' AS RANGE (SUBTYPE = ' || format_type(g.rngsubtype, NULL)
    || coalesce((SELECT ', SUBTYPE_OPCLASS = ' || quote_ident(o.opcname) FROM pg_opclass o WHERE o.oid = g.rngsubopc AND NOT o.opcdefault), '')
    || ${when('g.rngcollation <> 0 AND g.rngcollation <> u.typcollation', `', COLLATION = ' || ${collationName('g.rngcollation')}`)}
    || ${when('g.rngcanonical <> 0', `', CANONICAL = ' || g.rngcanonical::text`)}
    || ${when('g.rngsubdiff <> 0', `', SUBTYPE_DIFF = ' || g.rngsubdiff::text`)} ${multirange} || ')'
    FROM pg_range g JOIN pg_type u ON u.oid = g.rngsubtype WHERE g.rngtypid = y.oid)`;
}

/** Types in C, which only a superuser creates. */
const CREATE_BASE = `CASE WHEN y.typisdefined THEN 'CREATE TYPE ' || y.name || ' (INPUT = ' || y.typinput || ', OUTPUT = ' || y.typoutput
  || ', INTERNALLENGTH = ' || y.typlen || ', ALIGNMENT = ' || y.typalign::text || ', STORAGE = ' || y.typstorage::text
  || ', CATEGORY = ' || quote_literal(y.typcategory::text) || ')' ELSE 'CREATE TYPE ' || y.name END`;

/** CREATE COLLATION, by the columns that this version has. */
function createCollation(major: number): string {
  const locale = major >= 17 ? 'l.colllocale' : major >= 15 ? 'l.colliculocale' : 'NULL::text';
  const rules = major >= 16 ? 'l.collicurules' : 'NULL::text';
  return `'CREATE COLLATION ' || quote_ident(l.collname) || ' ('
    || concat_ws(', ', 'PROVIDER = ' || CASE l.collprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END,
      'LOCALE = ' || quote_literal(coalesce(${locale}, CASE WHEN l.collcollate = l.collctype OR l.collprovider = 'i' THEN l.collcollate END)),
      CASE WHEN l.collcollate <> l.collctype THEN 'LC_COLLATE = ' || quote_literal(l.collcollate) || ', LC_CTYPE = ' || quote_literal(l.collctype) END,
      'RULES = ' || quote_literal(${rules}), CASE WHEN NOT l.collisdeterministic THEN 'DETERMINISTIC = false' END) || ')'`;
}

export function typeParts(major: number): readonly Part[] {
  const types: Part[] = [
    { ...TYPE, kind: kind('enum'), sql: CREATE_ENUM, from: `types y WHERE y.typtype = 'e'` },
    { ...TYPE, kind: kind('composite type'), sql: CREATE_COMPOSITE, from: `types y WHERE y.typtype = 'c'` },
    { ...TYPE, kind: kind('range'), sql: createRange(major), from: `types y WHERE y.typtype = 'r'` },
    { ...TYPE, kind: kind('base type'), sql: CREATE_BASE, from: `types y WHERE y.typtype IN ('b', 'p')` },
  ];
  return [
    ...types.map((part) => ({ ...part, object: asType('TYPE') })),
    {
      ...TYPE,
      kind: kind('domain'),
      sql: CREATE_DOMAIN,
      from: `types y WHERE y.typtype = 'd'`,
      object: asType('DOMAIN'),
    },
    {
      kind: kind('domain constraint'),
      name: `quote_ident(k.conname) || ' on ' || y.name`,
      sql: `'ALTER DOMAIN ' || y.name || ' ADD CONSTRAINT ' || quote_ident(k.conname) || ' ' || pg_get_constraintdef(k.oid, true)`,
      from: `types y JOIN pg_constraint k ON k.contypid = y.oid AND k.contype = 'c'`,
      object: [
        'pg_constraint',
        'k.oid',
        `'CONSTRAINT ' || quote_ident(k.conname) || ' ON DOMAIN ' || y.name`,
      ],
    },
    {
      // Part of its type; comments have a row of their own.
      kind: kind('attribute'),
      name: `y.name || '.' || quote_ident(a.attname)`,
      sql: 'NULL::text',
      from: `types y JOIN pg_attribute a ON a.attrelid = y.typrelid AND a.attnum > 0 AND NOT a.attisdropped WHERE y.typtype = 'c'`,
      object: ['pg_class', 'y.typrelid', `'COLUMN ' || y.name || '.' || quote_ident(a.attname)`, 'a.attnum'],
    },
    {
      kind: kind('collation'),
      name: 'quote_ident(l.collname)',
      sql: createCollation(major),
      from: `members m JOIN pg_collation l ON l.oid = m.objid WHERE m.classid = 'pg_collation'::regclass`,
      object: ['pg_collation', 'l.oid', `'COLLATION ' || quote_ident(l.collname)`],
      owner: 'l.collowner',
    },
  ];
}
