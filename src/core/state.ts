import type { PoolClient } from 'pg';
import type { Database } from '../db/connection.ts';
import { literal } from '../db/sql.ts';
import { withTransaction } from '../db/transaction.ts';
import { TenantctlError, type ErrorReport } from '../errors.ts';
import { RUN_TABLES } from './runs/tables.ts';
import { GUARD_ROUTINES } from './guard/server-side.ts';
import { STAMP_ROUTINES, STAMP_TABLES } from './stamps/server-side.ts';

/** What tenantctl remembers lives in a schema of its own, so that a registry made by another tool is never altered. */
export const STATE_SCHEMA = 'tenantctl';

/** What `tenantctl resolve` needs to know of a migration outside a transaction that did not live to record its end. */
const INTENT_FACTS = [
  `ALTER TABLE tenantctl.intents
     ADD COLUMN IF NOT EXISTS batch integer,
     ADD COLUMN IF NOT EXISTS run bigint,
     ADD COLUMN IF NOT EXISTS backend_pid integer,
     ADD COLUMN IF NOT EXISTS backend_start timestamptz`,
  `COMMENT ON COLUMN tenantctl.intents.batch IS 'The batch that the migration was going to be recorded in.'`,
  `COMMENT ON COLUMN tenantctl.intents.backend_start IS
     'With backend_pid: the backend that carries the migration out, as in pg_stat_activity.'`,
] as const;

/**
 * Each entry brings the tables from the version of its index to the next; what holds nothing (ROUTINES) is made anew by
 * every upgrade. Entries are only ever added, if only an empty one for routines that have changed.
 */
const UPGRADES: readonly (readonly string[])[] = [
  [
    'CREATE SCHEMA IF NOT EXISTS tenantctl',
    `CREATE TABLE tenantctl.state_version (
       version integer NOT NULL,
       installed_at timestamptz NOT NULL DEFAULT now())`,
    `CREATE TABLE tenantctl.tenant_failures (
       schema_name text PRIMARY KEY,
       command text NOT NULL,
       error jsonb NOT NULL,
       failed_at timestamptz NOT NULL DEFAULT now())`,
    `COMMENT ON TABLE tenantctl.tenant_failures IS
       'The last failure of each tenant schema; the row goes when a later run succeeds.'`,
    `CREATE TABLE tenantctl.migration_files (
       scope text NOT NULL CHECK (scope IN ('master', 'tenants')),
       stem text NOT NULL,
       file_name text NOT NULL,
       checksum text NOT NULL,
       recorded_at timestamptz NOT NULL DEFAULT now(),
       PRIMARY KEY (scope, stem))`,
    `COMMENT ON TABLE tenantctl.migration_files IS
       'The checksum of each migration file when it was first applied: an edit afterwards is a warning.'`,
    `CREATE TABLE tenantctl.intents (
       schema_name text PRIMARY KEY,
       migration text NOT NULL,
       direction text NOT NULL CHECK (direction IN ('up', 'down')),
       started_at timestamptz NOT NULL DEFAULT now())`,
    `COMMENT ON TABLE tenantctl.intents IS
       'A migration outside a transaction that has begun and not ended. A row without a running command is a crash.'`,
  ],
  STAMP_TABLES,
  RUN_TABLES,
  [...INTENT_FACTS],
  // note_own and stay_within came with version 5; boundary, sightings and rows_outside with 6; 7 turns off jit.
  [],
  [],
  [],
];

/** Whatever the version before had of views and routines goes first. */
const ROUTINES: readonly string[] = [
  'DROP VIEW IF EXISTS tenantctl.trusted_stamps',
  `DO $$ DECLARE routine regprocedure; BEGIN
     FOR routine IN SELECT oid FROM pg_catalog.pg_proc WHERE pronamespace = 'tenantctl'::regnamespace LOOP
       EXECUTE format('DROP ROUTINE %s', routine);
     END LOOP;
   END $$`,
  ...STAMP_ROUTINES,
  ...GUARD_ROUTINES,
];

export const STATE_VERSION = UPGRADES.length;

/** The version from which on tenants are stamped (src/core/stamps/). */
export const STAMPS_SINCE = 2;

/** The version from which on runs are recorded (src/core/runs/). */
export const RUNS_SINCE = 3;

/** The version of the tenantctl schema in this database; 0 where there is none. */
export async function readStateVersion(database: Database): Promise<number> {
  const present = await database.query<{ present: boolean }>(
    `SELECT to_regclass('tenantctl.state_version') IS NOT NULL AS present`,
  );
  return present.rows[0]?.present === true ? readVersion(database) : 0;
}

async function readVersion(connection: Pick<Database, 'query'>): Promise<number> {
  const { rows } = await connection.query<{ version: number }>(
    'SELECT coalesce(max(version), 0) AS version FROM tenantctl.state_version',
  );
  return rows[0]?.version ?? 0;
}

/**
 * Creates the tenantctl schema, or brings it up to this version's form, in a transaction that is already open.
 * @throws TenantctlError STATE_NEWER when a newer tenantctl has been here
 */
export async function upgradeState(client: PoolClient, from: number): Promise<void> {
  if (from === STATE_VERSION) return;
  if (from > STATE_VERSION) {
    throw new TenantctlError(
      'STATE_NEWER',
      `The schema "tenantctl" of this database is of version ${from}; this tenantctl knows version ${STATE_VERSION}.`,
      { hint: 'Use the newer tenantctl that has been working on this database.' },
    );
  }
  // Two commands may come here at once: the second waits, then looks again.
  await client.query(`SELECT pg_advisory_xact_lock(hashtextextended('tenantctl:state', 0))`);
  const { rows } = await client.query<{ present: boolean }>(
    `SELECT to_regclass('tenantctl.state_version') IS NOT NULL AS present`,
  );
  const version = rows[0]?.present === true ? await readVersion(client) : 0;
  if (version === STATE_VERSION) return;
  for (const statements of [...UPGRADES.slice(version), ROUTINES]) await client.query(statements.join(';\n'));
  await client.query(`INSERT INTO tenantctl.state_version (version) VALUES (${STATE_VERSION})`);
}

/** upgradeState in a transaction of its own, where one is needed. `version` is what readStateVersion has read. */
export async function ensureState(database: Database, version: number): Promise<void> {
  if (version === STATE_VERSION) return;
  await withTransaction(database, {}, [], ({ client }) => upgradeState(client, version));
}

/** A tenant's last failure, as it was recorded. */
export interface RecordedFailure {
  readonly command: string;
  readonly error: ErrorReport;
  readonly failedAt: Date;
}

/** A migration outside a transaction of which only the beginning is known. */
export interface Intent {
  readonly migration: string;
  readonly direction: 'up' | 'down';
  readonly startedAt: Date;
}

/** An intent with all that is known of it. */
export interface BegunIntent extends Pick<Intent, 'migration' | 'direction'> {
  /** The batch that it was going to be recorded in; null where an older tenantctl began it. */
  readonly batch: number | null;
  /** The run that began it. */
  readonly run: number | null;
  /** The process id of the backend that carries it out, where that is still there. */
  readonly backend: number | null;
}

/** What is remembered about tenants, by schema; empty where the tenantctl schema is absent. */
export interface Memory {
  readonly failures: ReadonlyMap<string, RecordedFailure>;
  readonly intents: ReadonlyMap<string, Intent>;
}

/** Reads all failures and intents: both tables hold exceptions, so they are short. */
export async function readMemory(database: Database, stateVersion: number): Promise<Memory> {
  if (stateVersion === 0) return { failures: new Map(), intents: new Map() };
  const failures = await database.query<{
    schema_name: string;
    command: string;
    error: ErrorReport;
    failed_at: Date;
  }>('SELECT schema_name, command, error, failed_at FROM tenantctl.tenant_failures');
  const intents = await database.query<{
    schema_name: string;
    migration: string;
    direction: 'up' | 'down';
    started_at: Date;
  }>('SELECT schema_name, migration, direction, started_at FROM tenantctl.intents');
  return {
    failures: new Map(
      failures.rows.map((row) => [
        row.schema_name,
        { command: row.command, error: row.error, failedAt: row.failed_at },
      ]),
    ),
    intents: new Map(
      intents.rows.map((row) => [
        row.schema_name,
        { migration: row.migration, direction: row.direction, startedAt: row.started_at },
      ]),
    ),
  };
}

export function forgetFailure(schema: string): string {
  return `DELETE FROM tenantctl.tenant_failures WHERE schema_name = ${literal(schema)}`;
}

/** The statement that forgets a failure where it was one of this migration. */
export function forgetFailureAt(schema: string, migration: string): string[] {
  return [`${forgetFailure(schema)} AND error ->> 'migration' = ${literal(migration)}`];
}

/** A migration that is about to be run outside a transaction, by the backend that is told of it. */
export interface NewIntent {
  readonly schema: string;
  readonly migration: string;
  readonly direction: 'up' | 'down';
  readonly batch: number;
  readonly run: number | undefined;
}

export function insertIntent({ schema, migration, direction, batch, run }: NewIntent): string {
  return `INSERT INTO tenantctl.intents (schema_name, migration, direction, batch, run, backend_pid, backend_start)
          VALUES (${literal(schema)}, ${literal(migration)}, ${literal(direction)}, ${batch}, ${run ?? 'NULL'}, pg_backend_pid(), ${OWN_START})`;
}

const OWN_START = '(SELECT a.backend_start FROM pg_stat_get_activity(pg_backend_pid()) a)';

/** For the backend that has inserted the intent: it deletes no row where somebody has resolved it in the meantime. */
export function deleteOwnIntent(schema: string): string {
  return `${deleteIntent(schema)} AND backend_pid = pg_backend_pid() AND backend_start IS NOT DISTINCT FROM ${OWN_START}`;
}

/** Whether the backend that carries an intent out is still there: columns of tenantctl.intents, in SQL. */
export const BACKEND_LIVES = `EXISTS (
  SELECT FROM pg_stat_activity a
  WHERE a.pid = backend_pid AND a.datname = current_database() AND a.backend_start IS NOT DISTINCT FROM intents.backend_start)`;

export function deleteIntent(schema: string): string {
  return `DELETE FROM tenantctl.intents WHERE schema_name = ${literal(schema)}`;
}
