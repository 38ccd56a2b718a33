import { stringsOf, type Node } from '../../db/parser.ts';
import { OF_SESSION, ON_RELATIONS, RELATION_DROPS } from './node-kinds.ts';

/** Statements whose effects outside the schema are fully visible in the locks on relations. */
const SHOWS_IN_LOCKS = new Set<string>(['SelectStmt', ...ON_RELATIONS, ...OF_SESSION]);

/** The same, for an unqualified name. */
const MADE_IN_FIRST: ReadonlyMap<string, string> = new Map([
  ['CreateEnumStmt', 'typeName'],
  ['CreateDomainStmt', 'domainname'],
  ['CreateFunctionStmt', 'funcname'],
]);

/** The name of what is created, after its schema; undefined for other kinds of statements. */
export function madeNames(kind: string, body: Node): string[] | undefined {
  const nameField = MADE_IN_FIRST.get(kind);
  return nameField === undefined ? undefined : stringsOf(body[nameField]);
}

/** True if the name is unqualified: the object is created in the first schema of the search_path. */
export function isMadeInFirst(kind: string, body: Node): boolean {
  return madeNames(kind, body)?.length === 1;
}

/** Settings that do not change what a statement reaches. */
const HARMLESS_SETTING =
  /^(?:\w+_timeout|work_mem|maintenance_work_mem|check_function_bodies|client_min_messages|timezone|datestyle|intervalstyle|bytea_output|extra_float_digits|transform_null_equals)$/i;

const IS_OF_RELATION =
  /^OBJECT_(?:TABLE|INDEX|VIEW|MATVIEW|SEQUENCE|FOREIGN_TABLE|COLUMN|TABCONSTRAINT|TRIGGER|RULE|POLICY)$/;

/** Statements whose effects show in locks if they have this form. */
const MAY_SHOW_IN_LOCKS: ReadonlyMap<string, (body: Node) => boolean> = new Map([
  ['DropStmt', ({ removeType }) => RELATION_DROPS.has(String(removeType))],
  ['CommentStmt', ({ objtype }) => IS_OF_RELATION.test(String(objtype))],
  [
    'RenameStmt',
    ({ relation, renameType }) => relation !== undefined && IS_OF_RELATION.test(String(renameType)),
  ],
  ['CopyStmt', (body) => body.is_from !== true && body.filename === undefined && body.is_program !== true],
  ['VariableSetStmt', ({ name }) => HARMLESS_SETTING.test(String(name))],
]);

const REASONS: ReadonlyMap<string, string> = new Map([
  ...['InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt', 'TruncateStmt'].map(
    (kind) => [kind, 'it changes rows, and triggers may do more'] as const,
  ),
  ['VariableSetStmt', 'it changes a setting'],
  ['DoStmt', 'it has a DO block'],
  ['CallStmt', 'it calls a procedure'],
]);

/** Why the locks may not show everything that a statement reaches, apart from its functions. */
export function obscurityOf(kind: string, body: Node): string | undefined {
  if (SHOWS_IN_LOCKS.has(kind) || isMadeInFirst(kind, body)) return undefined;
  if (MAY_SHOW_IN_LOCKS.get(kind)?.(body) === true) return undefined;
  const other = `it has a statement whose locks do not tell what it reaches (${kind.replace(/Stmt$/, '')})`;
  return REASONS.get(kind) ?? other;
}

/** Functions of PostgreSQL and of common extensions that reach nothing but their arguments. */
const REACHES_NOTHING =
  /^(?:now|clock_timestamp|statement_timestamp|transaction_timestamp|timezone|date_part|date_trunc|extract|age|make_\w+|to_(?:char|date|number|timestamp|tsvector|tsquery|json|jsonb)|\w*tsquery|setweight|gen_random_uuid|uuidv[47]|uuid_generate_v[14]|random|nextval|currval|current_schemas?|lastval|setval|pg_get_serial_sequence|current_setting|lower|upper|initcap|length|char_length|octet_length|btrim|ltrim|rtrim|trim|replace|translate|substr|substring|left|right|lpad|rpad|reverse|repeat|split_part|strpos|position|concat|concat_ws|format|md5|sha\d+|digest|encode|decode|regexp_\w+|similarity|unaccent|abs|ceil|ceiling|floor|round|trunc|mod|power|sqrt|sign|greatest|least|coalesce|nullif|count|sum|avg|min|max|array_agg|string_agg|bool_(?:and|or)|every|row_number|rank|dense_rank|lag|lead|first_value|last_value|unnest|array_\w+|cardinality|json_(?:build|agg|object|array|extract|typeof|strip|populate|to)\w*|jsonb_(?:build|agg|object|array|extract|typeof|strip|set|insert|pretty|path|populate|to|each|exists)\w*|jsonb_set|row_to_json|generate_series|int[48]range|numrange|tsrange|tstzrange|daterange|isempty|lower_inc|upper_inc|hashtext|hashtextextended|pg_backend_pid|pg_sleep|version|txid_current|pg_current_xact_id|to_reg\w+|pg_typeof|has_\w+_privilege|l2_distance|cosine_distance|inner_product)$/i;

/** Whether a text may grant: directly, by dynamic SQL (DO blocks are not parsed), or by a function. */
export function mayGrantIn(text: string): boolean {
  if (/\b(?:grant|revoke|execute|call)\b|"\s*\(/i.test(text)) return true;
  return [...text.matchAll(/([\w.$]+)\s*\(/g)].some(
    ([, name = '']) => !REACHES_NOTHING.test(name) && !IS_NO_CALL.test(name),
  );
}

/** Words before a parenthesis that are not calls: keywords, and types with a length. */
const IS_NO_CALL =
  /^(?:\d+|and|or|not|in|exists|any|all|some|as|on|by|from|where|when|then|if|elsif|while|case|return|perform|select|values|using|with|over|filter|table|key|unique|check|references|include|default|union|except|intersect|distinct|array|row|raise|assert|loop|for|set|into|varchar|char|character|bpchar|varying|numeric|decimal|bit|time|timestamp|timestamptz|interval|vector|float)$/i;

/** Why a function may reach more than its arguments. */
export function obscureCall({ funcname }: Node): string | undefined {
  const names = stringsOf(funcname);
  const name = names.at(-1) ?? '';
  const isPlain = names.length === 1 || (names.length === 2 && names[0] === 'pg_catalog');
  return isPlain && REACHES_NOTHING.test(name) ? undefined : `it calls the function ${names.join('.')}`;
}
