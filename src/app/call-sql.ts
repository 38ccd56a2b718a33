import { registrySql, statusOf, writtenStatus } from '../core/registry/registry-sql.ts';
import { identifier, literal } from '../db/sql.ts';
import type { Names } from '../names.ts';

export type Isolation = 'read committed' | 'repeatable read' | 'serializable';

/** What a call asks of its transaction. */
export interface CallOptions {
  readonly readOnly?: boolean | undefined;
  readonly isolation?: Isolation | undefined;
  readonly statementTimeoutMs?: number | undefined;
  /** Runs as the owner of the tenant's schema, which the application's role must be a member of. */
  readonly asOwner?: boolean | undefined;
  /** The name of a migration that the tenant must have, with or without extension. */
  readonly atLeast?: string | undefined;
}

/**
 * Settings that are as before after every call, whatever changed them. Others are restored if a statement of the call
 * names them. The role is first: it decides about the others.
 */
const ALWAYS = [
  'role',
  'search_path',
  'statement_timeout',
  'lock_timeout',
  'row_security',
  'timezone',
  'datestyle',
] as const;

/** Settings and their values before the call. */
export type Settings = ReadonlyMap<string, string>;

/** What follows the tenant's schema in a search path. A temporary table cannot hide a tenant's. */
const SHARED = ', public, pg_temp';

/** A setting that lasts as long as the transaction: in another one it is not `open`. */
const MARK = 'tenantctl.call';

/** Of all settings that are put back. One column, as JSON: each column more costs the client a microsecond. */
function valuesOf(settings: readonly string[]): string {
  const values = settings.map((name) => `pg_catalog.current_setting(${literal(name)}, true)`);
  return `pg_catalog.json_build_array(${values.join(', ')})`;
}

/** What `enterCall` answers: values as text. No row if the organization is unknown. */
export interface CallFacts {
  readonly schema: string | null;
  readonly status: string;
  /** PostgreSQL's own number of the schema; null if there is none of that name. */
  readonly schemaId: string | null;
  /** `t` if the search path begins with the tenant's schema. Without USAGE, PostgreSQL passes over it. */
  readonly isVisible: string;
  /** `0` if the session has never had a temporary object. */
  readonly temporarySchema: string;
  readonly isListening: string;
  readonly before: Settings;
}

/** What a call is for. */
export interface CallTarget {
  readonly names: Names;
  readonly org: string;
  /** The schema of a tenant that is ACTIVE, if the registry need not be asked. */
  readonly known?: string | undefined;
  /** Settings of the application that are put back like those of ALWAYS. */
  readonly settings: readonly string[];
}

/** SQL that begins the transaction of a call. */
export function beginCall({ isolation, readOnly }: CallOptions): string {
  const level = isolation === undefined ? '' : ` ISOLATION LEVEL ${isolation.toUpperCase()}`;
  return `BEGIN${level}${readOnly === true ? ' READ ONLY' : ''}`;
}

/**
 * SQL for a transaction that has just begun: facts about the tenant and the session, and the tenant's search path, for
 * as long as the transaction lasts. A history is looked for in the tenant's own schema only.
 * PostgreSQL evaluates a list of columns from left to right. A column of the registry may have a collation of its own.
 */
export function enterCall({ names, org, known, settings }: CallTarget, options: CallOptions): string[] {
  const { table, organization, schema, status } = registrySql(names);
  const { statementTimeoutMs, asOwner = false, atLeast } = options;
  const name = `t.${schema}::text`;
  const path = `pg_catalog.quote_ident(${name}) || '${atLeast === undefined ? SHARED : ', pg_temp'}'`;
  const row = `(VALUES (${literal(org)}, ${literal(known ?? '')}, ${writtenStatus(names, 'ACTIVE')})) t (${organization}, ${schema}, ${status})`;
  const owner = `(SELECT pg_catalog.set_config('role', pg_catalog.pg_get_userbyid(n.nspowner), true)
      FROM pg_catalog.pg_namespace n WHERE n.nspname = ${name} COLLATE "C")`;
  return [
    `SELECT ${valuesOf([...ALWAYS, ...settings])} AS before, ${name} AS schema, ${statusOf(names, `t.${status}`)} AS status,
       pg_catalog.to_regnamespace(pg_catalog.quote_ident(${name}))::oid AS "schemaId",
       pg_catalog.pg_my_temp_schema() AS "temporarySchema",
       EXISTS (SELECT FROM pg_catalog.pg_listening_channels()) AS "isListening",
       pg_catalog.set_config('${MARK}', 'open', true), pg_catalog.set_config('search_path', ${path}, true),
       ${asOwner ? `${owner}, ` : ''}pg_catalog.current_schema() = ${name} COLLATE "C" AS "isVisible"
     FROM ${known === undefined ? `${table} t` : row} WHERE t.${organization} = ${literal(org)}`,
    ...(atLeast === undefined ? [] : [selectVersion(names, atLeast)]),
    ...(statementTimeoutMs === undefined ? [] : [`SET LOCAL statement_timeout = ${statementTimeoutMs}`]),
  ];
}

/** Whether the tenant has a migration; then its whole search path. Fails if it has no history. */
function selectVersion({ tenantHistory }: Names, migration: string): string {
  const stem = literal(migration.replace(/\.(?:[cm]?[jt]s|sql)$/, ''));
  return `SELECT EXISTS (SELECT FROM ${identifier(tenantHistory)} h WHERE h.name = ${stem}
      OR pg_catalog.regexp_replace(h.name, '\\.([cm]?[jt]s|sql)$', '') = ${stem}) AS "hasMigration",
    pg_catalog.set_config('search_path', pg_catalog.quote_ident(pg_catalog.current_schema()) || '${SHARED}', true)`;
}

/** The facts in what `enterCall` answered. */
export function toFacts(row: Readonly<Record<string, string>>, settings: readonly string[]): CallFacts {
  const values = JSON.parse(row['before'] ?? '[]') as readonly (string | null)[];
  return {
    ...(row as unknown as CallFacts),
    before: new Map([...ALWAYS, ...settings].map((name, at) => [name, values[at] ?? ''])),
  };
}

/** The beginning of the message of an error that `endCall` makes the server throw. */
export const REFUSAL = 'tenantctl refuses the call: ';

/** A text that is no number: the cheapest error that a query can throw with words of its own. */
const REFUSE_ENDED = `SELECT (CASE pg_catalog.current_setting('${MARK}', true) WHEN 'open' THEN '0'
  ELSE '${REFUSAL}a statement has ended its transaction' END)::integer, pg_catalog.pg_advisory_unlock_all()`;

/** A function can prepare statements. Those of the protocol are the application's own. */
const REFUSE_PREPARED = `SELECT ('${REFUSAL}it prepared the statement ' || p.name)::integer
  FROM pg_catalog.pg_prepared_statement() p WHERE p.from_sql AND p.prepare_time >= pg_catalog.transaction_timestamp()`;

/** Objects of this transaction have its id or a later one. pg_namespace is 2615. */
const DISCARD_OWN_TEMPORARY = `DO $tenantctl$
DECLARE older boolean; own boolean;
BEGIN
  SELECT bool_or(age(d.xmin) > 0), bool_or(age(d.xmin) <= 0) INTO older, own FROM pg_catalog.pg_depend d
    WHERE d.refclassid = 2615 AND d.refobjid = pg_catalog.pg_my_temp_schema();
  IF own AND older THEN RAISE EXCEPTION '${REFUSAL}it made a temporary object in a session that has others'; END IF;
  IF own THEN DISCARD TEMP; END IF;
END $tenantctl$`;

/** A LISTEN of this transaction is not among the channels before its COMMIT. */
const UNLISTEN_OWN = `DO $tenantctl$
DECLARE older text;
BEGIN
  UNLISTEN *;
  FOR older IN SELECT pg_catalog.pg_listening_channels() LOOP EXECUTE pg_catalog.format('LISTEN %I', older); END LOOP;
END $tenantctl$`;

/**
 * SQL before the COMMIT of a call. Deferred constraints and triggers run under the tenant's path. Then whatever would
 * stay in the session is cleared, or refused by an error whose message contains REFUSAL. It is one string with the
 * COMMIT: behind a pooler, the next string may reach another session. Every SELECT more costs 10 µs, a SET or another
 * command costs 1 µs.
 * @param changed more settings that statements of the call have named
 */
export function endCall(facts: CallFacts, changed: Settings): string[] {
  const { schema, before, temporarySchema, isListening } = facts;
  const others = [...[...before].slice(ALWAYS.length), ...changed].map(([name, value]) =>
    restored(name, value),
  );
  return [
    `SET LOCAL search_path TO ${identifier(schema ?? '')}${SHARED}`,
    'SET CONSTRAINTS ALL IMMEDIATE',
    'CLOSE ALL',
    REFUSE_PREPARED,
    temporarySchema === '0' ? 'DISCARD TEMP' : DISCARD_OWN_TEMPORARY,
    isListening === 't' ? UNLISTEN_OWN : 'UNLISTEN *',
    'DISCARD SEQUENCES',
    `SET role = ${literal(before.get('role') ?? 'none')}`,
    `${REFUSE_ENDED}, ${restored('search_path', before.get('search_path') ?? '')}`,
    ...ALWAYS.slice(2).map((name) => `SET ${name} = ${literal(before.get(name) ?? '')}`),
    ...(others.length === 0 ? [] : [`SELECT ${others.join(', ')}`]),
  ];
}

/** For settings of any kind: SET takes a list for one value. */
function restored(name: string, value: string): string {
  return `pg_catalog.set_config(${literal(name)}, ${literal(value)}, false)`;
}

/** Ends a call that failed. What a ROLLBACK does not take back is cleared. */
export const ROLL_BACK = 'ROLLBACK; DISCARD SEQUENCES; SELECT pg_catalog.pg_advisory_unlock_all()';
