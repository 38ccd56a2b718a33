import { setTimeout as sleep } from 'node:timers/promises';
import type { PoolClient, QueryResult } from 'pg';
import type { Database } from '../../db/database.ts';
import { toDatabaseError } from '../../db/database-error.ts';
import { literal } from '../../db/sql.ts';
import { withTransaction } from '../../db/transaction.ts';
import { TenantctlError } from '../../errors.ts';
import { shapeQuery } from './shape-query.ts';
import { toShape, type Shape, type ShapeRow } from './shape.ts';

type Server = Pick<Database, 'names' | 'serverMajor'>;

/** Schemas per transaction, which plans the query once: of those that are read, it holds the rows of all. */
const GROUP = { read: 5, imprinted: 25 };

/** How often the shape of a schema is read that is being changed meanwhile. */
const ATTEMPTS = 3;

/** What a schema is recognized by: those with equal imprints have equal shapes. See shapeQuery. */
export interface Imprint {
  readonly schema: string;
  readonly imprint: string;
}

type Read = Imprint & { readonly rows: readonly ShapeRow[] };

/**
 * Reads one schema in the caller's transaction, whose settings and search path stay as they are.
 * @throws TenantctlError SCHEMA_MISSING
 */
export async function readShape(client: PoolClient, schema: string, server: Server): Promise<Shape> {
  const [read] = await readGroup(client, [schema], server, true);
  if (read === undefined)
    throw new TenantctlError('SCHEMA_MISSING', `The schema ${schema} does not exist.`, {
      hint: 'tenantctl doctor names missing schemas.',
    });
  return toShape(schema, server.serverMajor, read.rows);
}

/**
 * Reads many schemas, in transactions of few schemas each. Yields them in the given order, without those that do not
 * exist.
 */
export async function* readShapes(
  database: Database,
  schemas: readonly string[],
): AsyncGenerator<Shape & Imprint, void, undefined> {
  for await (const { schema, imprint, rows } of readAll(database, schemas, true))
    yield { ...toShape(schema, database.serverMajor, rows), imprint };
}

/** Undefined if the schema does not exist. */
export async function readShapeOf(database: Database, schema: string): Promise<Shape | undefined> {
  for await (const shape of readShapes(database, [schema])) return shape;
  return undefined;
}

/** As readShapes, but the server sends only a digest of what it has read. */
export function readImprints(
  database: Database,
  schemas: readonly string[],
): AsyncGenerator<Imprint, void, undefined> {
  return readAll(database, schemas, false);
}

async function* readAll(
  database: Database,
  schemas: readonly string[],
  wantsRows: boolean,
): AsyncGenerator<Read, void, undefined> {
  const size = wantsRows ? GROUP.read : GROUP.imprinted;
  const groups: string[][] = [];
  for (let at = 0; at < schemas.length; at += size) groups.push(schemas.slice(at, at + size));
  const reading: Promise<readonly Read[]>[] = [];
  try {
    while (groups.length > 0 || reading.length > 0) {
      while (reading.length < database.width && groups.length > 0) {
        const read = readOrRepeat(database, groups.shift() ?? [], wantsRows);
        // It is awaited below, when its turn comes.
        read.catch(() => undefined);
        reading.push(read);
      }
      yield* (await reading.shift()) ?? [];
    }
  } finally {
    await Promise.allSettled(reading);
  }
}

/** PostgreSQL's functions fail if another session drops what they describe; then each schema is read again by itself. */
async function readOrRepeat(
  database: Database,
  schemas: readonly string[],
  wantsRows: boolean,
  attempt = 1,
): Promise<readonly Read[]> {
  try {
    const settings = { tenants: schemas.length };
    return await withTransaction(database, settings, [], ({ client }) =>
      readGroup(client, schemas, database, wantsRows),
    );
  } catch (error) {
    // "cache lookup failed", "could not open relation" are internal errors; or the object does not exist.
    const isMoving = /^(XX000|42P01|42704|42883)$/.test(toDatabaseError(error).sqlstate ?? '');
    if (!isMoving || attempt > ATTEMPTS) throw error;
    if (schemas.length === 1) await sleep(50 * attempt);
    const all: Read[] = [];
    for (const schema of schemas)
      all.push(...(await readOrRepeat(database, [schema], wantsRows, attempt + 1)));
    return all;
  }
}

/**
 * Without the first, the query might read whole catalogs, whose statistics do not show how few rows belong to a schema.
 * The last decide how PostgreSQL writes constants, in a default or the bounds of a partition.
 */
const SETTINGS = [
  'SET LOCAL enable_hashjoin = off',
  'SET LOCAL enable_mergejoin = off',
  'SET LOCAL enable_seqscan = off',
  'SET LOCAL jit = off',
  'SET LOCAL max_parallel_workers_per_gather = 0',
  'SET LOCAL plan_cache_mode = force_generic_plan',
  `SET LOCAL timezone = 'UTC'`,
  'SET LOCAL extra_float_digits = 1',
  'SET LOCAL bytea_output = hex',
  `SET LOCAL lc_monetary = 'C'`,
];

/**
 * A prepared statement is planned anew if the search path is not that of its first plan, so each execution begins with
 * the same (src/backend/utils/cache/plancache.c). The savepoints restore the settings, and release the locks that
 * PostgreSQL takes to describe a view.
 */
async function readGroup(
  client: PoolClient,
  schemas: readonly string[],
  { names, serverMajor }: Server,
  wantsRows: boolean,
): Promise<readonly Read[]> {
  const opening = [
    'SAVEPOINT tenantctl_shape',
    ...SETTINGS,
    'SET LOCAL search_path TO pg_catalog, pg_temp',
    `PREPARE tenantctl_shape (text, boolean) AS ${shapeQuery(names, serverMajor, '$1', '$2')}`,
    'SAVEPOINT tenantctl_schema',
  ];
  const reading = schemas.flatMap((schema) => [
    `EXECUTE tenantctl_shape (${literal(schema)}, ${wantsRows})`,
    'ROLLBACK TO SAVEPOINT tenantctl_schema',
  ]);
  const closing = [
    'DEALLOCATE tenantctl_shape',
    'ROLLBACK TO SAVEPOINT tenantctl_shape',
    'RELEASE SAVEPOINT tenantctl_shape',
  ];
  const results = (await client.query(
    [...opening, ...reading, ...closing].join(';\n'),
  )) as unknown as QueryResult<ShapeRow>[];
  return schemas.flatMap((schema, at) => {
    const [first, ...rows] = results[opening.length + 2 * at]?.rows ?? [];
    return first === undefined ? [] : [{ schema, imprint: first.name, rows }];
  });
}
