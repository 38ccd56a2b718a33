import { createHash } from 'node:crypto';
import { toDatabaseError } from '../../db/database-error.ts';
import { literal } from '../../db/sql.ts';
import { withTransaction } from '../../db/transaction.ts';
import type { HistoryEntry } from '../target/history.ts';
import { compareNames } from '../files/source.ts';
import type { Target } from '../target/target.ts';
import { createHistoryTrigger } from './history-trigger.ts';
import type { Database } from '../../db/database.ts';

/** Milliseconds to wait for a lock on a tenant before skipping it. */
const LOCK_TIMEOUT_MS = 500;

/** Tenants per transaction: each locks two tables and their indexes until it ends. */
const TENANTS_PER_TRANSACTION = 20;

/**
 * The digest in a stamp: the first half of a SHA-256 of batches and names, each name prefixed by its length
 * in bytes, as a uuid. tenantctl.read_history computes the same.
 */
export function digestOf(entries: readonly HistoryEntry[]): string {
  const text = entries
    .map(({ batch, name }) => `${batch}\u001f${Buffer.byteLength(name, 'utf8')}\u001f${name}`)
    .join('\u001e');
  const hex = createHash('sha256').update(text, 'utf8').digest('hex').slice(0, 32);
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** A memoized digestOf: many tenants share a history. */
export function digester(): (entries: readonly HistoryEntry[]) => string {
  const digests = new WeakMap<readonly HistoryEntry[], string>();
  return (entries) => {
    const digest = digests.get(entries) ?? digestOf(entries);
    digests.set(entries, digest);
    return digest;
  };
}

/** Runs in the transaction that wrote the history; the master schema has no stamp. */
export function stampOf({ scope, schema }: Target): string[] {
  return scope === 'tenants' ? [`SELECT tenantctl.stamp(${literal(schema)}::text)`] : [];
}

/**
 * Statements that stamp a tenant whose history tables the transaction has created. Where they fail, `stampOf` would have
 * left the tenant without a stamp, or the migrations have put something in their place: see hasStamps.
 * @param digest of the history as the transaction has written it
 * @param reads the history, which something else in the transaction may have written
 */
export function stampNew(schema: string, historyTable: string, digest: string, reads: boolean): string[] {
  return [
    ...createHistoryTrigger(schema, historyTable),
    `CALL tenantctl.stamp_new(${literal(schema)}::text, ${literal(digest)}::uuid, ${reads})`,
  ];
}

/** Whether tenants of this database can have stamps, as far as one has. */
export async function hasStamps(database: Pick<Database, 'query'>): Promise<boolean> {
  const { rows } = await database.query<{ found: boolean }>(
    'SELECT EXISTS (SELECT FROM tenantctl.stamps) AS found',
  );
  return rows[0]?.found === true;
}

/** For Database.remember: the digests of histories that are stored. If one is deleted, what refers to it has no stamp. */
const createStored = () => new Set<string>();

/** Stores the histories that stamps will refer to. */
export async function storeHistories(
  database: Pick<Database, 'query' | 'remember'>,
  histories: readonly (readonly HistoryEntry[])[],
): Promise<void> {
  const stored = database.remember(createStored);
  // Deduplicated and sorted, to avoid deadlocks between runs.
  const byDigest = new Map(histories.map((entries) => [digestOf(entries), entries]));
  const rows = [...byDigest]
    .filter(([digest]) => !stored.has(digest))
    .toSorted(([a], [b]) => compareNames(a, b))
    .map(([digest, entries]) => {
      const pairs = JSON.stringify(entries.map(({ name, batch }) => [name, batch]));
      return `(${literal(digest)}::uuid, ${literal(pairs)}::jsonb)`;
    });
  if (rows.length === 0) return;
  await database.query(
    `INSERT INTO tenantctl.histories AS known (digest, entries) VALUES ${rows.join(', ')}
     ON CONFLICT (digest) DO UPDATE SET entries = excluded.entries WHERE known.entries <> excluded.entries`,
  );
  for (const digest of byDigest.keys()) stored.add(digest);
}

/**
 * Histories that stamps refer to, by digest. A history that does not match its digest is not trusted.
 * @param condition in SQL, on `digest` and `entries`
 */
export async function readKnownHistories(
  database: Database,
  condition = 'true',
  values: readonly string[] = [],
): Promise<ReadonlyMap<string, readonly HistoryEntry[]>> {
  const { rows } = await database.query<{ digest: string; entries: readonly [string, number][] }>(
    `SELECT digest::text AS digest, entries FROM tenantctl.histories h WHERE ${condition}`,
    values,
  );
  const known = new Map<string, readonly HistoryEntry[]>();
  for (const { digest, entries } of rows) {
    const history = entries.map(([name, batch]) => ({ name, batch }));
    if (digestOf(history) === digest) known.set(digest, history);
  }
  return known;
}

export interface StampOptions {
  /** Runs a small transaction when a lane is free. */
  readonly run?: ((task: () => Promise<void>) => Promise<void>) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * In small transactions. Skips tenants that are in use: the next run reads their histories again.
 * @returns why tenants were not stamped, with the number of tenants
 */
export async function stampTenants(
  database: Database,
  schemas: readonly string[],
  { run = (task) => task(), signal }: StampOptions,
): Promise<ReadonlyMap<string, number>> {
  const reasons = new Map<string, number>();
  const stampNext = async (batch: readonly string[]) => {
    if (signal?.aborted) return;
    for (const reason of await stampBatch(database, batch))
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  };
  const batches: Promise<void>[] = [];
  for (let at = 0; at < schemas.length; at += TENANTS_PER_TRANSACTION)
    batches.push(run(() => stampNext(schemas.slice(at, at + TENANTS_PER_TRANSACTION))));
  await Promise.all(batches);
  return reasons;
}

/** @returns why tenants of the batch have no stamp */
async function stampBatch(database: Database, schemas: readonly string[]): Promise<string[]> {
  // Without the schema name, so that equal reasons can be counted.
  const stamp = `SELECT replace(tenantctl.stamp(schema_name), schema_name, 'the schema') AS reason
                 FROM unnest(ARRAY[${schemas.map(literal).join(', ')}]::text[]) AS schema_name`;
  const settings = { tenants: schemas.length, lockTimeoutMs: LOCK_TIMEOUT_MS };
  try {
    return await withTransaction(database, settings, [stamp], ({ opening }) =>
      Promise.resolve(
        ((opening[0]?.rows ?? []) as { reason: string | null }[]).flatMap(({ reason }) => reason ?? []),
      ),
    );
  } catch (error) {
    // A missing stamp must never cause a failure.
    const { message } = toDatabaseError(error);
    return schemas.map(() => message);
  }
}
