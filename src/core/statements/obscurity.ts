import { stringsOf, type Node } from '../../db/parser.ts';
import { RELATION_DROPS } from './node-kinds.ts';
import { runsNothing } from './runs-nothing.ts';

/** Statements of which an unqualified name means the first schema of the search_path. */
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
  ['VariableSetStmt', ({ name }) => HARMLESS_SETTING.test(String(name))],
]);

/**
 * Whether the locks on relations may not show everything that a statement reaches: it can run what somebody
 * wrote, or changes what is no relation.
 */
export function isObscure(kind: string, body: Node): boolean {
  const isClear = runsNothing(kind, body) || isMadeInFirst(kind, body);
  return !isClear && MAY_SHOW_IN_LOCKS.get(kind)?.(body) !== true;
}

/** In CREATE TRIGGER. In PL/pgSQL it is no expression, so nothing that is executed as SQL looks like that. */
const TRIGGER_FUNCTION = /\bexecute\s+(?:function|procedure)\s+["\w]+\s*\(/gi;

/**
 * Whether an obscure text may grant by itself or by a routine of a schema that it names. A text that begins with EXECUTE
 * runs what PREPARE has taken, which is no GRANT (https://www.postgresql.org/docs/current/sql-prepare.html).
 */
export function mayGrantIn(text: string): boolean {
  const rest = text.replace(/^\s*execute\b/i, '').replace(TRIGGER_FUNCTION, ' execute_function ');
  return /\b(?:grant|revoke|execute|call)\b|\.\s*["\w]+\s*\(/i.test(rest);
}
