import { DatabaseError, type PoolClient, type QueryResult } from 'pg';
import type { RunContext } from '../run/run-context.ts';
import type { Direction, Migration } from '../files/load.ts';
import { regainControlAtEnd } from '../target/control.ts';
import type { Target } from '../target/target.ts';
import { isAllowed } from './allowed.ts';
import { readAside } from './second-connection.ts';
import {
  objectKey,
  selectSchemaBefore,
  toSchemaBefore,
  type SchemaBefore,
  type ObjectName,
} from './before.ts';
import { describe, NOTHING, remember, type Descriptions, type Remembered } from './description.ts';
import { createBorders, isBorderGone, type Borders } from './border.ts';
import { brokenTransaction, droppedState, outsideSchema, suspectsOutside } from './errors.ts';
import { judge, questionsAbout, type Facts, type ObservedEffects } from './judge.ts';
import type { Trespass } from './trespass.ts';
import { ASSIGN_ID } from './own-transaction.ts';
import { look } from './effects.ts';

export interface Watch {
  readonly client: PoolClient;
  readonly target: Target;
  readonly schemaBefore: SchemaBefore;
  readonly savepoint: string;
  readonly borders: Borders;
  /** The earlier state of the database; only if all connections are one session. */
  readonly remembered: Remembered | undefined;
}

interface Guarded extends Watch {
  /** Those that ran. */
  readonly migrations: readonly Migration[];
  readonly direction: Direction;
  /** They may have granted columns. */
  readonly columns: boolean;
  readonly regain: readonly string[];
}

/**
 * Starts watching, before the first migration.
 * @param isMarking see createBorders
 */
export async function startWatch(
  { database }: RunContext,
  start: Omit<Watch, 'borders' | 'remembered'>,
  isMarking = false,
): Promise<Watch> {
  const remembered = database.hasParallelSessions ? undefined : await remember(start.client, start.target);
  return { ...start, remembered, borders: createBorders(isMarking) };
}

/**
 * Sends statements between two migrations, in one round trip.
 * @param earlier the migrations before
 * @throws TenantctlError MIGRATION_FAILED if one of them ended the transaction, or went back to before another
 */
export async function crossBorder(
  { client, target, borders }: Watch,
  earlier: readonly Migration[],
  before: readonly string[],
  after: readonly string[],
): Promise<void> {
  await borders.cross(client, before, after).catch((error: unknown) => {
    throw isBorderGone(error) ? brokenTransaction(earlier, target) : error;
  });
}

/**
 * Asserts that a tenant's migrations stayed within its schema. Call it before the COMMIT. Without marks, an error
 * names all of several migrations: isCulpritKnown.
 * @returns what other tenants with the same texts may do
 * @throws TenantctlError MIGRATION_OUTSIDE_SCHEMA; MIGRATION_FAILED if the transaction is no longer the one that was begun
 */
export async function assertWithinSchema(context: RunContext, guarded: Guarded): Promise<ObservedEffects> {
  const { client, target, schemaBefore, borders, migrations, direction } = guarded;
  const { schema, role } = target;
  const regain = [...borders.leave(), ...guarded.regain];
  const effects = await look(client, schema, schemaBefore, { ...guarded, regain }).catch((error: unknown) => {
    if (isBorderGone(error)) throw brokenTransaction(migrations, target);
    throw isStateGone(error) ? droppedState(migrations.at(-1)?.file.name ?? '', target) : error;
  });
  if (!effects.isWhole) throw brokenTransaction(migrations, target);
  const facts: Facts = { schema, role, schemaBefore, marks: borders.marks ?? [], effects };
  const questions = questionsAbout(facts);
  const before = await describeBefore(context, guarded, questions.before);
  const now = await describe(client, target, questions.now);
  const { trespasses, observed } = judge(facts, before, now);
  const migrationOf = ({ step }: Trespass) => migrations[step] ?? migrations.at(-1);
  const refused = trespasses.filter((trespass) => {
    const migration = migrationOf(trespass);
    return migration === undefined || !isAllowed(trespass, migration);
  });
  const migration = refused[0] && migrationOf(refused[0]);
  if (migration === undefined) return observed;
  const named = await withNames(guarded, refused);
  if (!isCulpritKnown(guarded)) throw suspectsOutside(migrations, target, named);
  const ofFirst = named.filter((trespass) => migrationOf(trespass) === migration);
  throw outsideSchema({ migration, direction, target }, ofFirst);
}

/** Whether the guard can tell which migration reached outside. */
export function isCulpritKnown({ borders, migrations }: Pick<Guarded, 'borders' | 'migrations'>): boolean {
  return migrations.length === 1 || borders.marks !== undefined;
}

/** Watches a schema in a transaction that may have run other tenants' migrations. @returns an assertion */
export async function watchSchema(
  context: RunContext,
  client: PoolClient,
  target: Target,
  savepoint: string,
  direction: Direction,
): Promise<(migration: Migration) => Promise<ObservedEffects>> {
  const noted = (await client.query(
    [ASSIGN_ID, selectSchemaBefore(target.schema)].join(';\n'),
  )) as unknown as QueryResult[];
  const schemaBefore = toSchemaBefore(noted.at(-1)?.rows[0]);
  const watch = await startWatch(context, { client, target, schemaBefore, savepoint });
  const rest = { direction, columns: true, regain: regainControlAtEnd(target) };
  return (migration) => assertWithinSchema(context, { ...watch, ...rest, migrations: [migration] });
}

/** A routine of tenantctl's is gone (https://www.postgresql.org/docs/current/errcodes-appendix.html). */
function isStateGone(error: unknown): boolean {
  return (
    error instanceof DatabaseError &&
    ['3F000', '42883', '42P01'].includes(error.code ?? '') &&
    error.message.includes('tenantctl')
  );
}

function describeBefore(
  context: RunContext,
  { client, target, remembered }: Guarded,
  objects: readonly ObjectName[],
): Promise<Descriptions> | Descriptions {
  if (objects.length === 0) return NOTHING;
  if (remembered === undefined)
    return describe(client, target, objects, (query) => readAside(context, query));
  const { shared, largestOid } = remembered;
  // Nobody else creates anything meanwhile: objects older than the migrations existed before.
  const existed = objects.filter(
    (object) => shared.has(objectKey(object)) || Number(object.oid) <= largestOid,
  );
  return new Map(existed.map((object) => [objectKey(object), shared.get(objectKey(object)) ?? UNNAMED]));
}

/** An object that existed and is otherwise unknown. */
const UNNAMED = { type: '', identity: '', isOtherTenants: false, extension: null, form: null };

/** Adds the names of dropped objects: after a rollback to the savepoint they exist again. */
async function withNames(
  { client, target, savepoint }: Guarded,
  trespasses: readonly Trespass[],
): Promise<Trespass[]> {
  const nameless = trespasses.filter(({ identity = '' }) => identity === '');
  if (nameless.length === 0) return [...trespasses];
  await client.query(`ROLLBACK TO SAVEPOINT ${savepoint}`);
  const objects = nameless.map(({ object }) => object);
  const found = await describe(client, target, objects);
  return trespasses.map((trespass) => ({ ...trespass, ...found.get(objectKey(trespass.object)) }));
}
