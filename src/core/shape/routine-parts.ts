import { kind, when, type Part } from './part.ts';

/** pg_get_functiondef writes the schema before the name. */
const HEAD = `'CREATE OR REPLACE ' || f.word || ' '`;

/** SQL for "KEY = value" if the catalog's oid is not 0. */
const given = (key: string, oid: string, value = `${oid}::text`) =>
  `CASE WHEN ${oid} <> 0 THEN '${key} = ' || ${value} END`;

const modifies = (key: string, column: string) =>
  `CASE ${column} WHEN 's' THEN '${key} = SHAREABLE' WHEN 'w' THEN '${key} = READ_WRITE' END`;

/** https://www.postgresql.org/docs/current/sql-createaggregate.html */
const CREATE_AGGREGATE = `'CREATE AGGREGATE ' || quote_ident(f.proname) || '(' || coalesce(nullif(pg_get_function_arguments(f.oid), ''), '*') || ') ('
  || concat_ws(', ', 'SFUNC = ' || g.aggtransfn, 'STYPE = ' || format_type(g.aggtranstype, NULL),
    CASE WHEN g.aggtransspace <> 0 THEN 'SSPACE = ' || g.aggtransspace END,
    ${given('FINALFUNC', 'g.aggfinalfn')}, CASE WHEN g.aggfinalextra THEN 'FINALFUNC_EXTRA' END, ${modifies('FINALFUNC_MODIFY', 'g.aggfinalmodify')},
    ${given('COMBINEFUNC', 'g.aggcombinefn')}, ${given('SERIALFUNC', 'g.aggserialfn')}, ${given('DESERIALFUNC', 'g.aggdeserialfn')},
    'INITCOND = ' || quote_literal(g.agginitval),
    ${given('MSFUNC', 'g.aggmtransfn')}, ${given('MINVFUNC', 'g.aggminvtransfn')}, ${given('MSTYPE', 'g.aggmtranstype', 'format_type(g.aggmtranstype, NULL)')},
    CASE WHEN g.aggmtransspace <> 0 THEN 'MSSPACE = ' || g.aggmtransspace END,
    ${given('MFINALFUNC', 'g.aggmfinalfn')}, CASE WHEN g.aggmfinalextra THEN 'MFINALFUNC_EXTRA' END, ${modifies('MFINALFUNC_MODIFY', 'g.aggmfinalmodify')},
    'MINITCOND = ' || quote_literal(g.aggminitval),
    ${given('SORTOP', 'g.aggsortop', `(SELECT o.oprname FROM pg_operator o WHERE o.oid = g.aggsortop)`)},
    CASE f.proparallel WHEN 's' THEN 'PARALLEL = SAFE' WHEN 'r' THEN 'PARALLEL = RESTRICTED' END,
    CASE WHEN g.aggkind = 'h' THEN 'HYPOTHETICAL' END) || ')'`;

const OPERATOR_NAME = `o.oprname || '(' || concat_ws(', ', CASE WHEN o.oprleft = 0 THEN 'NONE' ELSE format_type(o.oprleft, NULL) END, CASE WHEN o.oprright = 0 THEN 'NONE' ELSE format_type(o.oprright, NULL) END) || ')'`;

/** Its COMMUTATOR and NEGATOR are printed by their names: their types follow from its own. */
const CREATE_OPERATOR = `'CREATE OPERATOR ' || o.oprname || ' ('
  || concat_ws(', ', 'FUNCTION = ' || o.oprcode,
    ${given('LEFTARG', 'o.oprleft', 'format_type(o.oprleft, NULL)')}, ${given('RIGHTARG', 'o.oprright', 'format_type(o.oprright, NULL)')},
    ${given('COMMUTATOR', 'o.oprcom', '(SELECT c.oprname FROM pg_operator c WHERE c.oid = o.oprcom)')},
    ${given('NEGATOR', 'o.oprnegate', '(SELECT c.oprname FROM pg_operator c WHERE c.oid = o.oprnegate)')},
    ${given('RESTRICT', 'o.oprrest')}, ${given('JOIN', 'o.oprjoin')},
    CASE WHEN o.oprcanhash THEN 'HASHES' END, CASE WHEN o.oprcanmerge THEN 'MERGES' END) || ')'`;

const FAMILY = `quote_ident(f.opfname) || ' USING ' || quote_ident(m.amname)`;
const CLASS = `quote_ident(c.opcname) || ' USING ' || quote_ident(m.amname)`;

/** With the members for its own type. Those between types belong to the family, and are not read. */
const CREATE_CLASS = `'CREATE OPERATOR CLASS ' || quote_ident(c.opcname) || ${when('c.opcdefault', `' DEFAULT'`)} || ' FOR TYPE ' || format_type(c.opcintype, NULL)
  || ' USING ' || quote_ident(m.amname) || ' FAMILY ' || (SELECT quote_ident(f.opfname) FROM pg_opfamily f WHERE f.oid = c.opcfamily) || ' AS '
  || concat_ws(', ',
    (SELECT string_agg('OPERATOR ' || p.amopstrategy || ' ' || p.amopopr::regoperator, ', ' ORDER BY p.amopstrategy)
     FROM pg_amop p WHERE p.amopfamily = c.opcfamily AND p.amoplefttype = c.opcintype AND p.amoprighttype = c.opcintype),
    (SELECT string_agg('FUNCTION ' || p.amprocnum || ' ' || p.amproc::regprocedure, ', ' ORDER BY p.amprocnum)
     FROM pg_amproc p WHERE p.amprocfamily = c.opcfamily AND p.amproclefttype = c.opcintype AND p.amprocrighttype = c.opcintype),
    ${given('STORAGE', 'c.opckeytype', 'format_type(c.opckeytype, NULL)').replace(' = ', ' ')})`;

const CAST = `'(' || format_type(k.castsource, NULL) || ' AS ' || format_type(k.casttarget, NULL) || ')'`;

const FUNCTIONS: readonly Part[] = [
  {
    kind: 'lower(f.word)',
    name: 'f.name',
    sql: `CASE WHEN f.prokind = 'a' THEN (SELECT ${CREATE_AGGREGATE} FROM pg_aggregate g WHERE g.aggfnoid = f.oid)
      ELSE 'CREATE ' || f.word || ' ' || substr(rtrim(pg_get_functiondef(f.oid), E'\\n'), length(${HEAD} || quote_ident(s.nspname) || '.') + 1) END`,
    from: 'space s CROSS JOIN functions f',
    object: ['pg_proc', 'f.oid', `f.word || ' ' || f.name`],
    owner: 'f.proowner',
  },
];

const OPERATORS: readonly Part[] = [
  {
    kind: kind('operator'),
    name: OPERATOR_NAME,
    sql: CREATE_OPERATOR,
    from: `members m JOIN pg_operator o ON o.oid = m.objid AND o.oprcode <> 0 WHERE m.classid = 'pg_operator'::regclass`,
    object: ['pg_operator', 'o.oid', `'OPERATOR ' || ${OPERATOR_NAME}`],
    owner: 'o.oprowner',
  },
  {
    kind: kind('operator family'),
    name: FAMILY,
    sql: `'CREATE OPERATOR FAMILY ' || ${FAMILY}`,
    from: `members d JOIN pg_opfamily f ON f.oid = d.objid JOIN pg_am m ON m.oid = f.opfmethod WHERE d.classid = 'pg_opfamily'::regclass`,
    object: ['pg_opfamily', 'f.oid', `'OPERATOR FAMILY ' || ${FAMILY}`],
    owner: 'f.opfowner',
  },
  {
    kind: kind('operator class'),
    name: CLASS,
    sql: CREATE_CLASS,
    from: `members d JOIN pg_opclass c ON c.oid = d.objid JOIN pg_am m ON m.oid = c.opcmethod WHERE d.classid = 'pg_opclass'::regclass`,
    object: ['pg_opclass', 'c.oid', `'OPERATOR CLASS ' || ${CLASS}`],
    owner: 'c.opcowner',
  },
  {
    kind: kind('cast'),
    name: CAST,
    sql: `'CREATE CAST ' || ${CAST} || CASE k.castmethod WHEN 'f' THEN ' WITH FUNCTION ' || k.castfunc::regprocedure WHEN 'i' THEN ' WITH INOUT' ELSE ' WITHOUT FUNCTION' END
      || CASE k.castcontext WHEN 'a' THEN ' AS ASSIGNMENT' WHEN 'i' THEN ' AS IMPLICIT' ELSE '' END`,
    from: `(SELECT y.oid FROM types y UNION ALL SELECT r.reltype FROM rels r WHERE r.reltype <> 0) y
      JOIN pg_cast k ON k.castsource = y.oid OR k.casttarget = y.oid AND NOT EXISTS (SELECT FROM types o WHERE o.oid = k.castsource)
      WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_cast'::regclass AND d.objid = k.oid AND d.deptype = 'i')`,
    object: ['pg_cast', 'k.oid', `'CAST ' || ${CAST}`],
  },
];

const CONFIGURATION = 'quote_ident(g.cfgname)';
const DICTIONARY = 'quote_ident(t.dictname)';

const SEARCH: readonly Part[] = [
  {
    kind: kind('text search dictionary'),
    name: DICTIONARY,
    sql: `'CREATE TEXT SEARCH DICTIONARY ' || ${DICTIONARY} || ' (' || concat_ws(', ', 'TEMPLATE = ' || (SELECT quote_ident(p.tmplname) FROM pg_ts_template p WHERE p.oid = t.dicttemplate), t.dictinitoption) || ')'`,
    from: `members m JOIN pg_ts_dict t ON t.oid = m.objid WHERE m.classid = 'pg_ts_dict'::regclass`,
    object: ['pg_ts_dict', 't.oid', `'TEXT SEARCH DICTIONARY ' || ${DICTIONARY}`],
    owner: 't.dictowner',
  },
  {
    kind: kind('text search configuration'),
    name: CONFIGURATION,
    sql: `'CREATE TEXT SEARCH CONFIGURATION ' || ${CONFIGURATION} || ' (PARSER = ' || (SELECT quote_ident(p.prsname) FROM pg_ts_parser p WHERE p.oid = g.cfgparser) || ')'`,
    from: `members m JOIN pg_ts_config g ON g.oid = m.objid WHERE m.classid = 'pg_ts_config'::regclass`,
    object: ['pg_ts_config', 'g.oid', `'TEXT SEARCH CONFIGURATION ' || ${CONFIGURATION}`],
    owner: 'g.cfgowner',
  },
  {
    kind: kind('text search mapping'),
    name: `${CONFIGURATION} || ' for ' || k.alias`,
    sql: `'ALTER TEXT SEARCH CONFIGURATION ' || ${CONFIGURATION} || ' ADD MAPPING FOR ' || quote_ident(k.alias) || ' WITH '
      || (SELECT string_agg(p.mapdict::regdictionary::text, ', ' ORDER BY p.mapseqno) FROM pg_ts_config_map p WHERE p.mapcfg = g.oid AND p.maptokentype = k.tokid)`,
    from: `members m JOIN pg_ts_config g ON g.oid = m.objid CROSS JOIN LATERAL ts_token_type(g.cfgparser) k
      WHERE m.classid = 'pg_ts_config'::regclass
        AND EXISTS (SELECT FROM pg_ts_config_map p WHERE p.mapcfg = g.oid AND p.maptokentype = k.tokid)`,
  },
];

export const ROUTINE_PARTS = [...FUNCTIONS, ...OPERATORS, ...SEARCH];
