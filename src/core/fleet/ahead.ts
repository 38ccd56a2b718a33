import { literal } from '../../db/sql.ts';
import type { Database } from '../../db/database.ts';
import { counted, listed } from '../../wording.ts';
import { compareNames, EXTENSION, stemOf, type MigrationFolder } from '../files/source.ts';
import { hasStatus, registrySql } from '../registry/registry-sql.ts';
import { planner, type ForwardOptions } from '../plan/plan.ts';
import { readKnownHistories } from '../stamps/stamps.ts';
import { STAMPS_SINCE } from '../state/version.ts';
import type { HistoryEntry } from '../target/history.ts';
import { readInOrder, type KnownHistories, type Scope } from './fleet-facts.ts';
import { decideScripts, type Decide } from './plan-scripts.ts';

/** planForward for the tenants of a fleet, which knows what other tenants have. */
export async function readPlanner(
  database: Database,
  known: KnownHistories,
  folder: MigrationFolder,
  forward: ForwardOptions = {},
): Promise<Decide> {
  const ahead = await readAhead(database, known, folder);
  return decideScripts(planner(folder, { ...forward, ahead }), folder);
}

/**
 * Names of migrations that ACTIVE tenants have and that are newer than every file of the folder: a newer
 * release has applied them. As far as stamps tell; opens no table of a tenant.
 */
export async function readAhead(
  database: Database,
  known: KnownHistories,
  folder: MigrationFolder,
): Promise<string[]> {
  const newer = [...known].filter(([, entries]) => newerThan(folder, entries).length > 0);
  if (newer.length === 0) return [];
  const digests = await heldByActive(
    database,
    newer.map(([digest]) => digest),
  );
  return newerThan(
    folder,
    digests.flatMap((digest) => known.get(digest) ?? []),
  );
}

/** The known histories that readAhead needs, for a command on a few tenants: usually none. */
export async function readNewerHistories(
  database: Database,
  { stateVersion }: Pick<Scope, 'stateVersion'>,
  { files }: MigrationFolder,
): Promise<KnownHistories> {
  if (stateVersion < STAMPS_SINCE) return new Map();
  return readKnownHistories(
    database,
    `EXISTS (SELECT FROM jsonb_array_elements(entries) entry
             WHERE (entry ->> 0) COLLATE "C" > $1 AND regexp_replace(entry ->> 0, $2, '') COLLATE "C" > $1)`,
    [files.at(-1)?.stem ?? '', EXTENSION.source],
  );
}

/** Those digests that a trusted stamp of an ACTIVE tenant has. */
async function heldByActive(database: Database, digests: readonly string[]): Promise<string[]> {
  const { names } = database;
  const { table, schema, status } = registrySql(names);
  const rows = await readInOrder<{ digest: string }>(
    database,
    `SELECT ahead.digest::text AS digest
     FROM unnest(ARRAY[${digests.map(literal).join(', ')}]::uuid[]) AS ahead (digest), LATERAL (
       SELECT FROM tenantctl.trusted_stamps s JOIN ${table} t ON t.${schema}::text = s.schema_name
       WHERE s.digest = ahead.digest AND ${hasStatus(names, `t.${status}`, ['ACTIVE'])} LIMIT 1) AS one`,
  );
  return rows.map(({ digest }) => digest);
}

/** Names in histories that are newer than every file of the folder, oldest first. Pure. */
export function newerThan({ files }: MigrationFolder, entries: readonly HistoryEntry[]): string[] {
  const newest = files.at(-1)?.stem;
  const known = new Set(files.map(({ stem }) => stem));
  const byStem = new Map(entries.map(({ name }) => [stemOf(name), name]));
  return [...byStem]
    .filter(([stem]) => !known.has(stem) && (newest === undefined || compareNames(stem, newest) > 0))
    .map(([, name]) => name)
    .toSorted(compareNames);
}

/** Pure. @param tenants organization ids @param lacks what other tenants have, and these and the folder lack */
export function behindFleet(tenants: readonly string[], lacks: readonly string[]): string {
  const who = tenants.length === 1 ? `${tenants[0]} is` : counted(tenants.length, 'tenant', 'is');
  const names = listed(lacks.toSorted(compareNames));
  return `${who} behind the fleet: other tenants have ${names}, which this folder lacks. Run tenantctl migrate tenants of the newer release.`;
}
