import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import type { TenantClient } from '../../src/app/tenants.ts';
import { WHO } from './application.ts';

export interface WayToLeak {
  readonly name: string;
  readonly work: (client: TenantClient) => Promise<unknown>;
  /** The call fails with this code or SQLSTATE; absent: it succeeds. */
  readonly code?: string;
}

/** Functions that do what a call's own statements may not. */
export const LEAKY_FUNCTIONS = `
CREATE FUNCTION public.leak(command text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE command; END $$;
CREATE PROCEDURE public.leak_by_procedure(command text) LANGUAGE plpgsql AS $$ BEGIN EXECUTE command; END $$;
CREATE SEQUENCE public.numbers;
CREATE ROLE leaky_role_of_tests;
`;

const OTHER = schemaNameFor('org_b');
const REFUSED = 'SESSION_STATE';

const says =
  (...texts: string[]) =>
  async (client: TenantClient) => {
    for (const text of texts) await client.query(text);
  };

/** Statements, one after the other. */
const allowed = (...texts: string[]): WayToLeak => ({ name: texts.join('; '), work: says(...texts) });
const refused = (text: string, code = REFUSED): WayToLeak => ({ name: text, work: says(text), code });
/** A command within a function. */
const hidden = (command: string): WayToLeak => ({
  name: `a function: ${command}`,
  work: (client) => client.query('SELECT public.leak($1)', [command]),
});

/** What a call may try to leave to the next one on its connection. */
export const WAYS_TO_LEAK: readonly WayToLeak[] = [
  allowed(`SET search_path TO ${OTHER}`),
  allowed(`set session search_path = ${OTHER}`),
  allowed(`/* a /* nested */ comment */ -- and another\n SET search_path TO ${OTHER}`),
  allowed(`SET SCHEMA '${OTHER}'`),
  allowed('RESET search_path'),
  allowed(`SELECT set_config('search_path', '${OTHER}', false)`),
  allowed(`SELECT pg_catalog."set_config"('search_path', '${OTHER}', false)`),
  allowed(`SET LOCAL search_path TO ${OTHER}`),
  {
    name: 'a bound set_config',
    work: (client) => client.query('SELECT set_config($1, $2, false)', ['App.Tenant', 'a']),
  },
  {
    name: 'a set_config with a computed name',
    work: (client) => client.query(`SELECT set_config('work' || '_mem', '1MB', false)`),
  },
  allowed(`SET app.tenant = 'a'`),
  allowed(`SET app.tenant = 'a'`, 'SET LOCAL app.tenant = DEFAULT'),
  allowed(`SET "app"."tenant" TO 'a'`),
  allowed('RESET app.tenant'),
  allowed(`SET statement_timeout = '1h'`, `SET LOCAL statement_timeout = 0`),
  allowed(`SET TIME ZONE 'Asia/Tokyo'`),
  allowed(`SET SESSION TIME ZONE INTERVAL '+05:30' HOUR TO MINUTE`),
  allowed(`SET DateStyle = 'German'`),
  allowed(`SET NAMES 'LATIN1'`),
  allowed('SET work_mem = 1024'),
  allowed('SET ROLE leaky_role_of_tests'),
  allowed(`SELECT set_config('role', 'leaky_role_of_tests', false)`),
  allowed('SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY'),
  allowed('SET default_transaction_isolation = serializable'),
  allowed(`SAVEPOINT s`, `SET search_path TO ${OTHER}`, 'ROLLBACK TO SAVEPOINT s', WHO),
  allowed(`SAVEPOINT s`, `SET search_path TO ${OTHER}`, 'RELEASE s'),
  allowed(`DO $$ BEGIN SET work_mem = 2048; SET app.tenant = 'a'; END $$`),
  allowed(`DO $x$ BEGIN EXECUTE 'SET app.tenant = 1'; EXECUTE $y$SET search_path = ''$y$; END $x$`),
  allowed(`DO $$ BEGIN PERFORM set_config('app.tenant', 'a', false); END $$`),
  allowed(`CALL public.leak_by_procedure('SET work_mem = 4096')`),
  allowed(`SET enable_seqscan = off; `),
  allowed('CREATE TEMP TABLE who (org text)', `INSERT INTO pg_temp.who VALUES ('leaked')`),
  allowed('CREATE TEMP VIEW who AS SELECT 1 AS org'),
  allowed('CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$'),
  allowed(`SELECT nextval('public.numbers')`),
  allowed('DECLARE c CURSOR FOR SELECT 1'),
  hidden(`SET search_path TO ${OTHER}`),
  hidden('SET ROLE leaky_role_of_tests'),
  hidden(`SET statement_timeout = '1h'`),
  hidden(`SET TIME ZONE 'Asia/Tokyo'`),
  hidden('SET row_security = off'),
  hidden('SELECT pg_advisory_lock(4711)'),
  hidden('LISTEN leaks'),
  hidden('CREATE TEMP TABLE who (org text)'),
  hidden('DECLARE c CURSOR WITH HOLD FOR SELECT 1'),
  hidden(`SELECT nextval('public.numbers')`),
  {
    name: 'a deferred trigger that changes the session',
    work: says(
      'CREATE TABLE deferred (id int)',
      `CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
         PERFORM public.leak('SET search_path TO ${OTHER}'); PERFORM pg_advisory_lock(4712); RETURN NULL; END $$`,
      'CREATE CONSTRAINT TRIGGER t AFTER INSERT ON deferred DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION spoil()',
      'INSERT INTO deferred VALUES (1)',
    ),
  },
  { ...hidden('PREPARE leaked AS SELECT 1'), code: REFUSED },
  { ...hidden('COMMIT'), code: '0A000' },
  { ...refused(`DO $$ BEGIN COMMIT; END $$`, '2D000') },
  ...[
    'COMMIT',
    'commit work',
    'COMMIT AND CHAIN',
    ';; /**/ COMMIT',
    '--\nEND',
    'END TRANSACTION',
    'ABORT',
    'ROLLBACK',
    'rollback/**/work',
    'ROLLBACK AND CHAIN',
    'BEGIN',
    'START TRANSACTION',
    `PREPARE TRANSACTION 'x'`,
    'PREPARE leaked AS SELECT 1',
    'DEALLOCATE ALL',
    'LISTEN leaks',
    'UNLISTEN *',
    'DISCARD ALL',
    'DISCARD PLANS',
    'RESET ALL',
    `LOAD 'plpgsql'`,
    'SET SESSION AUTHORIZATION leaky_role_of_tests',
    `SET SESSION/**/AUTHORIZATION 'leaky_role_of_tests'`,
    'SET session_authorization = leaky_role_of_tests',
    `SELECT set_config('session_authorization', 'leaky_role_of_tests', false)`,
    'RESET SESSION AUTHORIZATION',
    'DECLARE c CURSOR WITH HOLD FOR SELECT 1',
    'SELECT pg_advisory_lock(1)',
    'SELECT pg_catalog . "pg_try_advisory_lock_shared" (1, 2)',
    'SELECT pg_advisory_lock/* it */(1)',
  ].map((text) => refused(text)),
  refused('SELECT 1; COMMIT', '42601'),
  {
    name: 'a named statement',
    work: (client) => client.query({ name: 'leaked', text: 'SELECT 1' }),
    code: REFUSED,
  },
  {
    name: 'an error in the midst',
    work: says(`SET search_path TO ${OTHER}`, `SELECT nextval('public.numbers')`, 'SELECT 1 / 0'),
    code: '22012',
  },
  {
    name: 'an error after a lock in a function',
    work: says(`SELECT public.leak('SELECT pg_advisory_lock(4713)')`, 'SELECT 1 / 0'),
    code: '22012',
  },
  {
    name: 'a constraint that fails at the end',
    work: says(
      'CREATE TABLE pairs (id int PRIMARY KEY, other int REFERENCES pairs DEFERRABLE INITIALLY DEFERRED)',
      `SET app.tenant = 'a'`,
      'INSERT INTO pairs VALUES (1, 2)',
    ),
    code: '23503',
  },
];

/** What a session keeps between transactions. One row. */
export const SESSION_STATE = `
SELECT array_agg(s.name || '=' || s.setting ORDER BY s.name) AS settings, current_setting('role') AS role,
  session_user, nullif(current_setting('app.tenant', true), '') AS custom, current_setting('app.kept', true) AS kept,
  (SELECT count(*)::int FROM pg_depend d WHERE d.refclassid = 2615 AND d.refobjid = pg_my_temp_schema()) AS temporary,
  (SELECT count(*)::int FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory') AS locks,
  (SELECT count(*)::int FROM pg_prepared_statements) AS prepared,
  (SELECT count(*)::int FROM pg_cursors WHERE is_holdable) AS cursors,
  ARRAY(SELECT pg_listening_channels()) AS channels
FROM pg_settings s WHERE s.name NOT LIKE 'plpgsql.%'`;
