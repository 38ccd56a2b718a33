import type { PoolClient } from 'pg';
import { withTransaction } from '../../db/transaction.ts';
import { literal } from '../../db/sql.ts';
import { listed } from '../../wording.ts';
import { TenantctlError } from '../../errors.ts';
import type { Names } from '../../names.ts';
import { REPLICA_IDENTITY, RUN_LEASE, RUN_TABLES } from '../ledger/tables.ts';
import { trustedStamps } from '../stamps/server-routines.ts';
import { allRoutines, readAltered } from './routines.ts';
import { BACKUPS_TABLE } from '../state/backups.ts';
import { SCRIPTS_TABLE } from '../state/scripts.ts';
import { followRegistry, tenantAmbiguous, TENANT_IDS } from '../state/tenant-ids.ts';
import { TOMBSTONES } from '../state/tombstones.ts';
import { VERB_INTENTS_TABLE } from '../state/verb-intents.ts';
import { boundNames, readStateVersion, readVersionIfAny } from '../state/version.ts';
import type { Observer } from '../report/event.ts';
import type { Database } from '../../db/database.ts';
import { lockKey } from '../../db/advisory-lock.ts';
import { APPLICATION_ROLES } from '../roles/application-roles.ts';
import { RECORDINGS_TABLE } from '../recordings/table.ts';
import { STAMP_TABLES, STAMPS_BY_TABLE } from '../stamps/tables.ts';

/** Separate from the registry, so that a registry made by another tool is never altered. */
export const STATE_SCHEMA = 'tenantctl';

/** Index: the version to upgrade from. Only append; use an empty entry if only routines changed. */
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
  [
    `ALTER TABLE tenantctl.intents
       ADD COLUMN IF NOT EXISTS batch integer,
       ADD COLUMN IF NOT EXISTS run bigint,
       ADD COLUMN IF NOT EXISTS backend_pid integer,
       ADD COLUMN IF NOT EXISTS backend_start timestamptz`,
    `COMMENT ON COLUMN tenantctl.intents.batch IS 'The batch that the migration was going to be recorded in.'`,
    `COMMENT ON COLUMN tenantctl.intents.backend_start IS
       'With backend_pid: the backend that carries the migration out, as in pg_stat_activity.'`,
  ],
  // Routines only. 5: note_own, stay_within; 6: boundary, sightings, rows_outside; 7: jit off; 8: renames.
  [],
  [],
  [],
  [
    ...RUN_LEASE,
    ...TENANT_IDS,
    ...STAMPS_BY_TABLE,
    'ALTER TABLE tenantctl.state_version ADD COLUMN IF NOT EXISTS names jsonb',
    `COMMENT ON COLUMN tenantctl.state_version.names IS
       'The names of the registry and the history tables that the routines are made with, as the variables have them.'`,
  ],
  // Routines only. 9: rows that may be swapped; 10: the arguments of calls have the declared types.
  [],
  [],
  [REPLICA_IDENTITY],
  RECORDINGS_TABLE,
  // Routines only. 14: the guard counts what was written to each catalog.
  [],
  APPLICATION_ROLES,
  SCRIPTS_TABLE,
  VERB_INTENTS_TABLE,
  BACKUPS_TABLE,
  TOMBSTONES,
  // Routines only. 21: no triggers on the tables of a cluster's nodes; assert_spread.
  [],
  // Routines only. 22: stamp_new; stay_within looks briefly first.
  [],
  // Routines only. 23: spread_routines; stay_within knows a lock of Citus.
  [],
  // Routines only. 24: stamp_new reads the history where it must; 25: rows_outside keeps fewer plans.
  [],
  [],
];

/** Creates views and routines, after dropping whatever is there. */
function viewsAndRoutines(names: Names): string[] {
  return [
    'DROP VIEW IF EXISTS tenantctl.trusted_stamps',
    `DO $$ DECLARE routine regprocedure; BEGIN
     FOR routine IN SELECT oid FROM pg_catalog.pg_proc WHERE pronamespace = 'tenantctl'::regnamespace LOOP
       EXECUTE format('DROP ROUTINE %s', routine);
     END LOOP;
   END $$`,
    ...trustedStamps(names),
    ...allRoutines(names).map(({ create }) => create),
  ];
}

export const STATE_VERSION = UPGRADES.length;

/**
 * Creates or upgrades the schema tenantctl in an open transaction.
 * @throws TenantctlError STATE_NEWER if a newer tenantctl has used the database; NAMES_DIFFER
 */
export async function upgradeState(client: PoolClient, database: StateDatabase, from: number): Promise<void> {
  if (from === STATE_VERSION) return;
  if (from > STATE_VERSION) {
    throw new TenantctlError(
      'STATE_NEWER',
      `The schema "tenantctl" of this database has version ${from}; this tenantctl knows version ${STATE_VERSION}.`,
      { hint: 'Use the newer tenantctl that upgraded this database.' },
    );
  }
  const version = await lockState(client, database.names);
  if (version !== STATE_VERSION) await install(client, database, version);
}

type StateDatabase = Pick<Database, 'names' | 'stayingHere'>;

/** Replaces the recorded names with the current ones and recreates the routines. No run may be active. */
export async function changeNames(database: Database): Promise<void> {
  await withTransaction(database, {}, [], async ({ client }) => {
    const version = await lockState(client, undefined);
    if (version > 0 && version <= STATE_VERSION) await install(client, database, version);
  });
}

/** If two commands arrive at once, one waits and checks again. @returns the version, 0 if none */
async function lockState(client: PoolClient, names: Names | undefined): Promise<number> {
  await client.query(`SELECT pg_advisory_xact_lock(${lockKey("'state'")})`);
  return readVersionIfAny(client, names);
}

async function install(
  client: PoolClient,
  { names, stayingHere: { begin, end } }: StateDatabase,
  version: number,
): Promise<void> {
  const record = `INSERT INTO tenantctl.state_version (version, names, installed_at)
     VALUES (${STATE_VERSION}, ${literal(JSON.stringify(boundNames(names)))}, clock_timestamp())`;
  for (const statements of [begin, ...UPGRADES.slice(version), viewsAndRoutines(names), [record, ...end]])
    if (statements.length > 0) await client.query(statements.join(';\n'));
}

/** What ensureState decides by. */
export interface StateFacts {
  /** From readStateVersion. */
  readonly version: number;
  /** From readAltered. */
  readonly altered: readonly string[];
}

export async function readState(database: Database): Promise<StateFacts> {
  const [version, altered] = await database.together((one) => [readStateVersion(one), readAltered(one)]);
  return { version, altered };
}

/**
 * Runs upgradeState in its own transaction if needed. Routines that are not as this version makes them are
 * replaced, with a warning: they decide what a migration may do.
 */
export async function ensureState(
  database: Database,
  { version, altered }: StateFacts,
  observe: Observer,
): Promise<void> {
  const { names } = database;
  if (version !== STATE_VERSION)
    return withTransaction(database, {}, [], ({ client }) => upgradeState(client, database, version));
  if (altered.length === 0) return;
  await withTransaction(database, {}, [], async ({ client }) => {
    const now = await lockState(client, names);
    if (now !== STATE_VERSION) return;
    const { begin, end } = database.stayingHere;
    await client.query([...begin, ...viewsAndRoutines(names), ...end].join(';\n'));
  });
  const message = `Routines in the schema tenantctl were not as tenantctl makes them, and have been replaced: ${listed(altered)}.`;
  observe({ type: 'warning', message });
}

/** Every command that changes tenants starts here: upgrades the schema tenantctl, updates its tenants' names. */
export async function prepareState(database: Database, facts: StateFacts, observe: Observer): Promise<void> {
  await ensureState(database, facts, observe);
  for (const tenant of await followRegistry(database)) {
    const { clerkOrgId, schema, former, isAmbiguous } = tenant;
    if (!isAmbiguous) {
      const message = `${former.clerkOrgId} (${former.schema}) is ${clerkOrgId} (${schema}) now.`;
      observe({ type: 'note', message });
    } else observe({ type: 'warning', message: tenantAmbiguous(tenant, former).message });
  }
}
