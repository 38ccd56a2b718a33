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

/** Schemas per transaction. Each plans the query once, and holds a snapshot and the rows of all of its schemas. */
const GROUP = 5;

/** How often the shape of a schema is read that is being changed meanwhile. */
const ATTEMPTS = 3;

/**
 * Reads one schema in the caller's transaction, whose settings and search path stay as they are.
 * @throws TenantctlError SCHEMA_MISSING
 */
export async function readShape(client: PoolClient, schema: string, server: Server): Promise<Shape> {
  const [shape] = await readGroup(client, [schema], server);
  if (shape === undefined)
    throw new TenantctlError('SCHEMA_MISSING', `The schema ${schema} does not exist.`, {
      hint: 'tenantctl doctor names missing schemas.',
    });
  return shape;
}

/**
 * Reads many schemas, in transactions of few schemas each. Yields them in the given order, without those that do not
 * exist.
 */
export async function* readShapes(
  database: Database,
  schemas: readonly string[],
): AsyncGenerator<Shape, void, undefined> {
  const groups: string[][] = [];
  for (let at = 0; at < schemas.length; at += GROUP) groups.push(schemas.slice(at, at + GROUP));
  const reading: Promise<readonly Shape[]>[] = [];
  try {
    while (groups.length > 0 || reading.length > 0) {
      while (reading.length < database.width && groups.length > 0) {
        const shapes = readOrRepeat(database, groups.shift() ?? []);
        // It is awaited below, when its turn comes.
        shapes.catch(() => undefined);
        reading.push(shapes);
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
  attempt = 1,
): Promise<readonly Shape[]> {
  try {
    const settings = { tenants: schemas.length };
    return await withTransaction(database, settings, [], ({ client }) =>
      readGroup(client, schemas, database),
    );
  } catch (error) {
    // "cache lookup failed", "could not open relation" are internal errors; or the object does not exist.
    const isMoving = /^(XX000|42P01|42704|42883)$/.test(toDatabaseError(error).sqlstate ?? '');
    if (!isMoving || attempt > ATTEMPTS) throw error;
    if (schemas.length === 1) await sleep(50 * attempt);
    const shapes: Shape[] = [];
    for (const schema of schemas) shapes.push(...(await readOrRepeat(database, [schema], attempt + 1)));
    return shapes;
  }
}

/** Without these, the query might read whole catalogs, whose statistics do not show how few rows belong to a schema. */
const SETTINGS = [
  'SET LOCAL enable_hashjoin = off',
  'SET LOCAL enable_mergejoin = off',
  'SET LOCAL enable_seqscan = off',
  'SET LOCAL jit = off',
  'SET LOCAL max_parallel_workers_per_gather = 0',
  'SET LOCAL plan_cache_mode = force_generic_plan',
];

/**
 * A prepared statement is planned anew if the search path is not that of its first plan, so each execution begins with
 * the same (src/backend/utils/cache/plancache.c). The savepoint restores the settings.
 */
async function readGroup(
  client: PoolClient,
  schemas: readonly string[],
  { names, serverMajor }: Server,
): Promise<readonly Shape[]> {
  const safePath = 'SET LOCAL search_path TO pg_catalog, pg_temp';
  const opening = [
    'SAVEPOINT tenantctl_shape',
    ...SETTINGS,
    safePath,
    `PREPARE tenantctl_shape (text) AS ${shapeQuery(names, serverMajor, '$1')}`,
  ];
  const reading = schemas.flatMap((schema) => [safePath, `EXECUTE tenantctl_shape (${literal(schema)})`]);
  const closing = [
    'DEALLOCATE tenantctl_shape',
    'ROLLBACK TO SAVEPOINT tenantctl_shape',
    'RELEASE SAVEPOINT tenantctl_shape',
  ];
  const results = (await client.query(
    [...opening, ...reading, ...closing].join(';\n'),
  )) as unknown as QueryResult<ShapeRow>[];
  return schemas.flatMap((schema, at) => {
    const rows = results[opening.length + 2 * at + 1]?.rows ?? [];
    return rows.length === 0 ? [] : [toShape(schema, serverMajor, rows)];
  });
}
