import type { Database } from '../../db/database.ts';
import type { Direction } from '../files/load.ts';
import { compareNames, type MigrationFile } from '../files/source.ts';
import { rowChecksum } from './table.ts';

export interface KeptRow {
  readonly stem: string;
  readonly key: string;
  readonly body: string;
  readonly limits: string;
  readonly witness: string;
  readonly isUsable: boolean;
  /** It is as tenantctl wrote it. */
  readonly isIntact: boolean;
}

/** The rows of these migrations, valid or not. */
export async function readKept(
  database: Pick<Database, 'query'>,
  files: readonly MigrationFile[],
  direction: Direction,
): Promise<KeptRow[]> {
  const { rows } = await database.query<KeptRow>(
    `SELECT stem, key, body, limits, witness, is_usable AS "isUsable", checksum = ${rowChecksum((column) => column)} AS "isIntact"
     FROM ONLY tenantctl.recordings WHERE direction = $1 AND stem = ANY ($2::text[])`,
    [direction, files.map(({ stem }) => stem)],
  );
  return rows;
}

export type NewRow = Omit<KeptRow, 'isIntact'>;

/** `k` is the row as it is: an intact one under the same key with the same body. */
const IS_SAME = `(k.key = excluded.key AND k.body = excluded.body AND k.checksum = ${rowChecksum((column) => `k.${column}`)})`;

const WITNESS = `CASE WHEN ${IS_SAME} THEN k.witness ELSE excluded.witness END`;

const IS_USABLE = `(excluded.is_usable OR ${IS_SAME} AND (k.is_usable OR k.witness <> excluded.witness))`;

/**
 * Stores recordings. If a row has the same, from another tenant, it becomes usable; if it differs, the new one
 * replaces it. One statement decides, so that two writers at once cannot undo each other's.
 */
export async function writeKept(
  database: Pick<Database, 'query'>,
  unsorted: readonly NewRow[],
  direction: Direction,
): Promise<void> {
  if (unsorted.length === 0) return;
  // Two writers lock them in the same order.
  const rows = unsorted.toSorted((a, b) => compareNames(a.stem, b.stem));
  const final = (column: string) =>
    column === 'witness' ? WITNESS : column === 'is_usable' ? IS_USABLE : `excluded.${column}`;
  await database.query(
    `INSERT INTO tenantctl.recordings AS k (direction, stem, key, body, limits, witness, is_usable, checksum)
     SELECT direction, stem, key, body, limits, witness, is_usable, ${rowChecksum((column) => `w.${column}`)}
     FROM (SELECT $1::text AS direction, n.*
           FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[])
             AS n (stem, key, body, limits, witness, is_usable)) w
     ON CONFLICT (stem, direction) DO UPDATE SET
       key = excluded.key, body = excluded.body, limits = excluded.limits, witness = ${WITNESS},
       is_usable = ${IS_USABLE}, kept_at = now(), checksum = ${rowChecksum(final)}
     WHERE NOT (${IS_SAME} AND k.is_usable AND k.limits = excluded.limits)`,
    [
      direction,
      rows.map(({ stem }) => stem),
      rows.map(({ key }) => key),
      rows.map(({ body }) => body),
      rows.map(({ limits }) => limits),
      rows.map(({ witness }) => witness),
      rows.map(({ isUsable }) => isUsable),
    ],
  );
}
