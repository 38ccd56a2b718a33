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
];

/** Settings and their values before the call. */
export type Settings = ReadonlyMap<string, string>;

/** What follows the tenant's schema in a search path. A temporary table of another session cannot hide a tenant's. */
const SHARED = ', public, pg_temp';

/** When the transaction began, as text that no setting changes. Another transaction began later. */
const BEGAN = 'extract(epoch FROM pg_catalog.transaction_timestamp())::text';

/** SQL for the temporary objects of the session, as text; NULL if it never had any. pg_namespace is 2615. */
const TEMPORARY = `CASE WHEN pg_catalog.pg_my_temp_schema() <> 0 THEN ARRAY(SELECT d.objid FROM pg_catalog.pg_depend d
  WHERE d.refclassid = 2615 AND d.refobjid = pg_catalog.pg_my_temp_schema())::text END`;

/** What `enterCall` answers: values as text. No row if the organization is unknown. */
export interface CallFacts {
  readonly schema: string | null;
  readonly status: string;
  readonly hasSchema: string;
  readonly temporary: string | null;
  readonly isListening: string;
  readonly began: string;
  readonly before: Settings;
}

/** SQL that begins the transaction of a call. */
export function beginCall({ isolation, readOnly }: CallOptions): string {
  const level = isolation === undefined ? '' : ` ISOLATION LEVEL ${isolation.toUpperCase()}`;
  return `BEGIN${level}${readOnly === true ? ' READ ONLY' : ''}`;
}

/**
 * SQL for a transaction that has just begun: facts about the tenant and the session, and the tenant's search path, for
 * as long as the transaction lasts. A history is looked for in the tenant's own schema only.
 * @param known the schema of a tenant that is ACTIVE, if the registry need not be asked
 */
export function enterCall(names: Names, org: string, options: CallOptions, known?: string): string[] {
  const { table, organization, schema, status } = registrySql(names);
  const { statementTimeoutMs, asOwner = false, atLeast } = options;
  const name = `t.${schema}::text`;
  const path = `pg_catalog.quote_ident(${name})${atLeast === undefined ? ` || '${SHARED}'` : ''}`;
  const row = `(VALUES (${literal(org)}, ${literal(known ?? '')}, ${writtenStatus(names, 'ACTIVE')})) t (${organization}, ${schema}, ${status})`;
  const settings = ALWAYS.map((setting) => `pg_catalog.current_setting('${setting}') AS "${setting}"`);
  return [
    `SELECT ${settings.join(', ')}, ${name} AS schema, ${statusOf(names, `t.${status}`)} AS status,
       pg_catalog.to_regnamespace(pg_catalog.quote_ident(${name})) IS NOT NULL AS "hasSchema", ${TEMPORARY} AS temporary,
       EXISTS (SELECT FROM pg_catalog.pg_listening_channels()) AS "isListening", ${BEGAN} AS began,
       pg_catalog.set_config('search_path', ${path}, true)
     FROM ${known === undefined ? `${table} t` : row} WHERE t.${organization} = ${literal(org)}`,
    ...(asOwner ? [BECOME_OWNER] : []),
    ...(atLeast === undefined ? [] : [selectVersion(names, atLeast)]),
    ...(statementTimeoutMs === undefined ? [] : [`SET LOCAL statement_timeout = ${statementTimeoutMs}`]),
  ];
}

/** SQL for the role that owns the schema of the search path. */
const BECOME_OWNER = `SELECT pg_catalog.set_config('role', pg_catalog.pg_get_userbyid(n.nspowner), true) AS owner
  FROM pg_catalog.pg_namespace n WHERE n.nspname = pg_catalog.current_schema()`;

/** Whether the tenant has a migration; then its whole search path. Fails if it has no history. */
function selectVersion({ tenantHistory }: Names, migration: string): string {
  const stem = literal(migration.replace(/\.[cm]?[jt]s$|\.sql$/, ''));
  return `SELECT EXISTS (SELECT FROM ${identifier(tenantHistory)} h WHERE h.name = ${stem}
      OR pg_catalog.regexp_replace(h.name, '\\.([cm]?[jt]s|sql)$', '') = ${stem}) AS "hasMigration",
    pg_catalog.set_config('search_path', pg_catalog.current_setting('search_path') || '${SHARED}', true)`;
}

/** The facts in what `enterCall` answered. */
export function toFacts(row: Readonly<Record<string, string>>): CallFacts {
  return {
    ...(row as unknown as CallFacts),
    before: new Map(ALWAYS.map((name) => [name, row[name] ?? ''])),
  };
}

/** The beginning of the message of an error that `endCall` makes the server throw. */
export const REFUSAL = 'tenantctl refuses the call: ';

/**
 * SQL before the COMMIT of a call. Deferred constraints and triggers run under the tenant's path. Then whatever would
 * stay in the session is cleared, or refused by an error whose message contains REFUSAL. It is one string with the
 * COMMIT: behind a pooler, the next string may reach another session.
 * @param changed more settings that statements of the call have named
 */
export function endCall(facts: CallFacts, changed: Settings): string[] {
  const { schema, before, temporary, isListening, began } = facts;
  const hadTemporary = temporary !== null && temporary !== '{}';
  const refusals = [
    [`${BEGAN} <> ${literal(began)}`, 'a statement has ended its transaction'],
    [
      'EXISTS (SELECT FROM pg_catalog.pg_cursor() c WHERE c.is_holdable AND c.creation_time >= pg_catalog.transaction_timestamp())',
      'a cursor WITH HOLD is open',
    ],
    [
      'EXISTS (SELECT FROM pg_catalog.pg_prepared_statement() p WHERE p.from_sql AND p.prepare_time >= pg_catalog.transaction_timestamp())',
      'a statement was prepared',
    ],
    ...(hadTemporary
      ? [
          [
            `NOT ${TEMPORARY}::text[] <@ ${literal(temporary)}::text[]`,
            'a temporary object was made beside older ones',
          ],
        ]
      : []),
  ];
  const cases = refusals.map(([condition, reason]) => `WHEN ${condition} THEN '${REFUSAL}${reason}'`);
  const restored = [...before, ...changed].map(([name, value]) => setting(name, literal(value), false));
  return [
    `SELECT ${setting('search_path', `pg_catalog.quote_ident(${literal(schema ?? '')}) || '${SHARED}'`, true)}`,
    'SET CONSTRAINTS ALL IMMEDIATE',
    // A text that is no number: the cheapest error that a query can throw with words of its own.
    `SELECT (CASE ${cases.join(' ')} ELSE '0' END)::integer, pg_catalog.pg_advisory_unlock_all()`,
    `SELECT ${restored.join(', ')}`,
    ...(hadTemporary ? [] : ['DISCARD TEMP']),
    ...(isListening === 't' ? [] : ['UNLISTEN *']),
  ];
}

function setting(name: string, value: string, isLocal: boolean): string {
  return `pg_catalog.set_config(${literal(name)}, ${value}, ${isLocal})`;
}
