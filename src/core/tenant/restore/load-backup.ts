import type { PoolClient } from 'pg';
import { toDatabaseError } from '../../../db/database-error.ts';
import { waitForStream } from '../../../db/dead-client.ts';
import { keepingLock } from '../../../db/lock-keeper.ts';
import { TenantctlError } from '../../../errors.ts';
import { counted, listed } from '../../../wording.ts';
import { backupDamaged } from '../../backup/backup-errors.ts';
import type { Manifest } from '../../backup/manifest.ts';
import type { BackupReading } from '../../backup/read-backup.ts';
import { readRecords } from '../../backup/read-records.ts';
import { tryUnderLock } from '../../commands/try-under-lock.ts';
import type { Content } from '../../content/content.ts';
import { loadContent } from '../../content/load-content.ts';
import { measureContent } from '../../content/measure-content.ts';
import { readContent } from '../../content/read-content.ts';
import { writeRows } from '../../content/write-rows.ts';
import type { Observer } from '../../report/event.ts';
import type { RunContext } from '../../run/run-context.ts';
import type { Attempt } from '../../serve/work.ts';
import { compareShapes, type ShapeDifference } from '../../shape/compare-shapes.ts';
import { readShape } from '../../shape/read-shapes.ts';
import { stampOf } from '../../stamps/stamps.ts';
import { recordScripts } from '../../state/scripts.ts';
import type { LongVerb } from '../../state/unfinished-verb.ts';
import { tenantTarget } from '../../target/target.ts';
import { assertOwn } from '../build/build-tenant.ts';
import { fitContent, pickColumns, type FittingContent } from '../build/fit-content.ts';
import { shapeDiffers } from '../build/shape-differs.ts';
import { assertHoldsAll, assertSameHistory } from './assert-consistent.ts';

/** The rows of a backup, and the schema that was built for them. */
export interface Loading {
  readonly context: RunContext;
  readonly clerkOrgId: string;
  readonly schema: string;
  readonly verb: LongVerb;
  /** Opens the backup; it is called once for each attempt. */
  readonly open: () => Promise<BackupReading>;
  /** The scripts of the backup were applied when the schema was built. */
  readonly hasScripts: boolean;
  /** Whether a difference between the two shapes is no reason to refuse. */
  readonly isAllowed: (difference: ShapeDifference) => boolean;
  /** No difference is a reason; rows that have no place any more are left out. */
  readonly allowDrift: boolean;
  readonly observe: Observer;
}

export interface Loaded {
  readonly tables: number;
  readonly rows: number;
  /** How the shape that was built differs from that of the backup. */
  readonly differences: readonly ShapeDifference[];
  /** What the schema has no place for: FittingContent. */
  readonly left: readonly string[];
}

/**
 * Compares the shape of a schema that was built with that of a backup, and loads the backup's rows, in one transaction
 * under the tenant's lock. It commits when the whole backup has been read and found undamaged, and the rows in the
 * schema have the number and the hash that they had when they were backed up.
 * @returns a failure: SHAPE_DIFFERS, BACKUP_DAMAGED, ROWS_DIFFER, and what loadContent throws
 */
export async function loadBackup(loading: Loading): Promise<Attempt<Loaded>> {
  const { context, clerkOrgId, schema, verb, open } = loading;
  let reading: BackupReading | undefined;
  try {
    return await tryUnderLock(
      // A COPY takes as long as its rows need.
      { ...context, statementTimeoutMs: 0 },
      schema,
      async (transaction) => {
        const { client } = transaction;
        await client.query(assertOwn(schema, context.run?.id));
        await client.query(waitForStream(context.database.deadClientSettings));
        const opened = (reading = await open());
        const done = await keepingLock(client, () => fill(loading, client, opened));
        await transaction.commitWith(recordsOf(loading, reading.manifest));
        return { kind: 'done', done };
      },
      (error) => toDatabaseError(error, { tenant: clerkOrgId }),
      verb,
    );
  } finally {
    reading?.close();
  }
}

async function fill(loading: Loading, client: PoolClient, reading: BackupReading): Promise<Loaded> {
  const { context, clerkOrgId, schema, isAllowed, allowDrift } = loading;
  const { names } = context.database;
  const { manifest } = reading;
  // Whoever changes a file may leave its digest as it was: the objects are compared.
  const expected = { ...manifest.shape, digest: '' };
  const differences = compareShapes(expected, await readShape(client, schema, context.database));
  const refused = allowDrift ? [] : differences.filter((difference) => !isAllowed(difference));
  if (refused.length > 0) throw backupDiffers(clerkOrgId, refused);
  const here = await readContent(client, schema, names);
  if (!allowDrift) assertHoldsAll(manifest.content, here);
  const fitting = allowDrift ? fitContent(manifest.content, here) : { content: manifest.content, left: [] };
  const { content, left } = fitting;
  await loadRows(loading, client, content, reading);
  assertSameHistory(manifest, await readRecords(client, schema, names));
  const measures = await measureContent(client, schema, content);
  const wrong = differingTables(manifest, fitting, measures);
  if (wrong.length > 0) throw rowsDiffer(clerkOrgId, wrong);
  const rows = [...measures.values()].reduce((sum, measure) => sum + Number(measure.rows), 0);
  return { tables: content.tables.length, rows, differences, left };
}

/** Reads the backup to its end. */
async function loadRows(
  { context, schema, observe }: Loading,
  client: PoolClient,
  content: Content,
  { manifest, tables }: BackupReading,
): Promise<void> {
  const source = tables[Symbol.asyncIterator]();
  let ended = 0;
  const next = async () => {
    const read = await source.next();
    if (read.done === true) return undefined;
    ended += 1;
    const { rows = 0 } = manifest.measures[ended - 1] ?? {};
    const message = `Table ${ended} of ${manifest.content.tables.length}: ${read.value.table.name}, ${counted(rows, 'row')}`;
    observe({ type: 'phase', message });
    return read.value;
  };
  await loadContent(client, schema, content, context.database.names, async (table) => {
    for (let read = await next(); read !== undefined; read = await next()) {
      if (read.table.name === table.name) {
        const rows = pickColumns(read.rows, read.table, table);
        await writeRows(context.database, { client, schema, table }, rows);
        return;
      }
      // A table that has no place here.
      for await (const _ of read.rows);
    }
    throw backupDamaged('The backup', `the rows of ${table.name} are missing`);
  });
  for (let read = await next(); read !== undefined; read = await next()) for await (const _ of read.rows);
}

/** The tables whose rows are not those of the backup. Pure. */
function differingTables(
  { measures, content: { tables } }: Manifest,
  { content }: FittingContent,
  here: Awaited<ReturnType<typeof measureContent>>,
): string[] {
  const columns = new Map(tables.map((table) => [table.name, table.columns.length]));
  const expected = new Map(measures.map((measure) => [measure.table, measure]));
  return content.tables.flatMap((table) => {
    const [before, now] = [expected.get(table.name), here.get(table.name)];
    const isWhole = columns.get(table.name) === table.columns.length;
    const isSame = Number(now?.rows) === before?.rows && (!isWhole || now?.hash === before?.hash);
    return isSame ? [] : [table.name];
  });
}

/** The statements that record what the tenant has, in the transaction that loads it. */
function recordsOf(
  { context, clerkOrgId, schema, hasScripts }: Loading,
  { scripts, seeds }: Manifest,
): string[] {
  const run = context.run?.id;
  return [
    ...(seeds.length > 0 ? [recordScripts(seeds, { schema, kind: 'seed', run })] : []),
    ...(hasScripts && scripts.length > 0
      ? [recordScripts(scripts, { schema, kind: 'repeatable', run })]
      : []),
    // The rows of its history are others now.
    ...stampOf(tenantTarget(context.database.names, { clerkOrgId, schema })),
  ];
}

function backupDiffers(tenant: string, differences: readonly ShapeDifference[]): TenantctlError {
  return shapeDiffers(tenant, differences, {
    message: `What the migrations build differs from the backup in ${counted(differences.length, 'object')}. No row was loaded.`,
    words: { missing: 'only in the backup', extra: 'not in the backup', changed: 'changed' },
    hint: 'The tenant was changed by hand before it was backed up, or the migrations were edited since. To restore its rows into what the migrations build: --allow-drift.',
  });
}

function rowsDiffer(tenant: string, tables: readonly string[]): TenantctlError {
  const message = `After loading, the rows of ${listed(tables)} are not those that were backed up. Nothing was kept of them.`;
  return new TenantctlError('ROWS_DIFFER', message, {
    tenant,
    hint: 'Something outside of the schema changes rows while they are written: a default or a domain that calls a function, for example. Please report it.',
  });
}
