import type { Database } from '../../db/database.ts';
import type { Direction } from '../files/load.ts';
import { compareNames, type MigrationFile } from '../files/source.ts';
import { rowChecksum } from './table.ts';

export interface NewRow {
  readonly stem: string;
  readonly key: string;
  readonly body: string;
  readonly limits: string;
  readonly witness: string;
  readonly isUsable: boolean;
}

export interface KeptRow extends Pick<NewRow, 'stem' | 'key' | 'witness' | 'isUsable'> {
  /** From JSON; undefined if the row is not as tenantctl wrote it. */
  readonly content: { readonly body: unknown; readonly limits: unknown } | undefined;
}

interface ReadRow {
  /** Where the row is, and which transaction wrote it there: no other content can have the same. */
  readonly version: string;
  readonly row: KeptRow;
}

/** For Database.remember: the rows that were read, by direction and stem. */
const createReadRows = () => new Map<string, ReadRow>();

const COLUMNS = {
  key: 'key',
  body: 'body',
  limits: 'limits',
  witness: 'witness',
  isUsable: 'is_usable',
  isIntact: `checksum = ${rowChecksum((column) => column)}`,
};

/** The rows of these migrations, valid or not. A process reads a row again only if it has changed. */
export async function readKept(
  database: Pick<Database, 'query' | 'remember'>,
  files: readonly MigrationFile[],
  direction: Direction,
): Promise<KeptRow[]> {
  const read = database.remember(createReadRows);
  const idOf = (stem: string) => `${direction} ${stem}`;
  const stems = files.map(({ stem }) => stem);
  const known = new Map(
    stems.flatMap((stem) => read.get(idOf(stem)) ?? []).map((one) => [one.version, one.row]),
  );
  const columns = Object.entries(COLUMNS).map(
    ([name, sql]) => `CASE WHEN is_new THEN ${sql} END AS "${name}"`,
  );
  const { rows } = await database.query<NewRow & { isIntact: boolean | null; version: string }>(
    `SELECT stem, version, ${columns.join(', ')}
     FROM (SELECT r.*, v.version, v.version <> ALL ($3::text[]) AS is_new
           FROM ONLY tenantctl.recordings r, concat_ws(' ', r.tableoid, r.ctid, r.xmin) v (version)
           WHERE direction = $1 AND stem = ANY ($2::text[])) r`,
    [direction, stems, [...known.keys()]],
  );
  return rows.flatMap(({ version, isIntact, ...columns }) => {
    const row = isIntact === null ? known.get(version) : toKeptRow(columns, isIntact);
    if (row !== undefined) read.set(idOf(columns.stem), { version, row });
    return row ?? [];
  });
}

function toKeptRow({ body, limits, ...row }: NewRow, isIntact: boolean): KeptRow {
  const content = isIntact && { body: JSON.parse(body) as unknown, limits: JSON.parse(limits) as unknown };
  return { ...row, content: content || undefined };
}

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
  shown: readonly NewRow[],
  direction: Direction,
): Promise<void> {
  if (shown.length === 0) return;
  // Two writers lock them in the same order.
  const rows = oneForEach(shown).toSorted((a, b) => compareNames(a.stem, b.stem));
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

/** One row for each migration. Several plans may have shown it: the last one counts, as in the table. Pure. */
function oneForEach(shown: readonly NewRow[]): NewRow[] {
  const rows = new Map<string, NewRow>();
  for (const row of shown) {
    const before = rows.get(row.stem);
    const isSame = before !== undefined && before.key === row.key && before.body === row.body;
    const isUsable = row.isUsable || (isSame && (before.isUsable || before.witness !== row.witness));
    rows.set(row.stem, { ...row, isUsable });
  }
  return [...rows.values()];
}
