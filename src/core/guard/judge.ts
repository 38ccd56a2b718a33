import { identifier } from '../../db/sql.ts';
import { compareNames } from '../files/source.ts';
import { OFTEN_PASSING } from './catalogs.ts';
import { lockKey, objectKey, type ForeignKeys, type SchemaBefore, type ObjectName } from './before.ts';
import type { Mark } from './border.ts';
import type { Description, Descriptions } from './description.ts';
import { isWriteToState } from './state-tables.ts';
import { isExclusive, isOfSystem, isOutside, isSharedAgainstOthers, strengthOf } from './locks.ts';
import { createFindings, type Trespass } from './trespass.ts';
import { KEY_LOCK, type SeenLock, type SeenRow, type Effects } from './effects.ts';

/** What the first tenants' transactions did, and what tenants with the same texts may therefore do. */
export interface ObservedEffects {
  /** Schemas of shared relations. */
  readonly schemas: readonly string[];
  /** Locks of foreign keys on shared relations: oid, mode and form (see Description), separated by colons. */
  readonly keyLocks: readonly string[];
  readonly hasHiddenCalls: boolean;
  /** What the schema holds must be noted before: see mayBeOwn. */
  readonly drops: boolean;
  /** Tables of public are locked against other tenants' transactions, as by a foreign key to one. */
  readonly locksShared: boolean;
  /** An extension was created, perhaps in the tenant's schema. */
  readonly hasExtension: boolean;
}

export interface Facts {
  readonly schema: string;
  /** The tenant's role, which the transaction itself may have created. */
  readonly role: string | undefined;
  readonly schemaBefore: SchemaBefore;
  readonly marks: readonly Mark[];
  readonly effects: Effects;
}

/** Parts of relations: dropping one locks the relation. */
const PARTS = /^pg_(?:attrdef|publication_rel|trigger|rewrite|policy|largeobject)$/;

/** The object was not in the schema, and was dropped, is not a relation, or was moved into the schema. */
function isUnexplained(lock: SeenLock, { schema, schemaBefore }: Facts): boolean {
  if (PARTS.test(lock.catalog) || schemaBefore.own.has(objectKey(lock))) return false;
  return lock.schema === null || (lock.schema === schema && hasMoved(lock, schemaBefore));
}

/** The relation is older than the transaction and may have been moved. */
function hasMoved({ oid, mode }: SeenLock, { largestOid }: SchemaBefore): boolean {
  return mode === 'AccessExclusiveLock' && Number(oid) <= largestOid;
}

/** An object that was dropped, or locked like that, was the schema's; or nobody can tell from its oid that it is new. */
function mayBeOwn(lock: SeenLock, { own }: SchemaBefore): boolean {
  return !PARTS.test(lock.catalog) && (own.has(objectKey(lock)) || !OFTEN_PASSING.includes(lock.catalog));
}

/** The transaction had created or changed it before the first migration. */
function isOfBefore(object: ObjectName, { locks }: SchemaBefore): boolean {
  return locks.has(lockKey(object, 'AccessExclusiveLock'));
}

/** Objects to describe as they were before the transaction, and as they are now. Pure. */
export function questionsAbout(facts: Facts): Readonly<Record<'before' | 'now', readonly ObjectName[]>> {
  const { schema, schemaBefore, effects } = facts;
  const exclusive = effects.locks.filter(
    (lock) => isOutside(lock, schema) && isExclusive(lock) && !isOfBefore(lock, schemaBefore),
  );
  const unexplained = effects.locks.filter((lock) => isUnexplained(lock, facts));
  const rows = effects.rows.filter((row) => !isOfBefore(row, schemaBefore));
  const touched = effects.locks.filter((lock) => lock.isOtherTenants || isWriteToState(lock));
  return {
    before: [...exclusive, ...unexplained, ...rows],
    now: [...exclusive, ...unexplained, ...rows, ...touched],
  };
}

interface Known extends Facts {
  readonly before: Descriptions;
  readonly now: Descriptions;
}

/** Judges what a tenant's transaction has done, and what others with the same texts may do. Pure. */
export function judge(
  facts: Facts,
  before: Descriptions,
  now: Descriptions,
): { readonly trespasses: readonly Trespass[]; readonly observed: ObservedEffects } {
  const known: Known = { ...facts, before, now };
  const { effects, schema, schemaBefore } = facts;
  const findings = createFindings(known);
  const isOfForeignKey = foreignKeyLocks(known);
  const explained = new Set(effects.rows.filter((row) => isExplained(row, known)).map(objectKey));
  const keyLocks = new Set<string>();
  const schemas = new Set<string>();
  for (const lock of effects.locks.toSorted((a, b) => strengthOf(b) - strengthOf(a))) {
    if (isOutside(lock, schema) && !lock.isOtherTenants && !isOfSystem(lock)) schemas.add(lock.schema ?? '');
    const deed = deedByLock(lock, known, explained.has(objectKey(lock)));
    if (deed === 'locked' && !lock.isOtherTenants && isOfForeignKey(lock))
      keyLocks.add([lock.oid, lock.mode, now.get(objectKey(lock))?.form].join(':'));
    else if (deed !== undefined) findings.note(deed, lock, stepOfLock(lock, facts), lock.mode);
  }
  for (const row of effects.rows) {
    const deed = explained.has(objectKey(row)) ? undefined : deedByRow(row, known);
    if (deed !== undefined) findings.note(deed, row, stepOfRow(row, facts));
  }
  return {
    trespasses: findings.all(),
    observed: {
      schemas: [...schemas].toSorted(compareNames),
      keyLocks: [...keyLocks].toSorted(compareNames),
      locksShared: effects.locks.some(isSharedAgainstOthers),
      hasExtension: effects.rows.some(({ catalog }) => catalog === 'pg_extension'),
      hasHiddenCalls: effects.hasHiddenCalls,
      drops: effects.locks.some((lock) => lock.schema === null && mayBeOwn(lock, schemaBefore)),
    },
  };
}

/** Which exclusive locks are explained by a foreign key that was added or dropped. */
function foreignKeyLocks(known: Known): (lock: SeenLock) => boolean {
  const { schemaBefore, effects, before } = known;
  const tables = (keys: ForeignKeys, others: ForeignKeys) =>
    new Set(Object.entries(keys).flatMap(([key, table]) => (key in others ? [] : [table])));
  const addedTo = tables(effects.foreignKeys, schemaBefore.foreignKeys);
  const takenFrom = tables(schemaBefore.foreignKeys, effects.foreignKeys);
  const referred = new Set([schemaBefore, effects].flatMap((each) => Object.values(each.foreignKeys)));
  // A foreign key that was added and dropped leaves a lock on itself and on its triggers, and two on its table.
  const modesOf = Map.groupBy(effects.locks, (lock) => objectKey(lock));
  const isTakenAndGivenUp = (lock: SeenLock) =>
    [KEY_LOCK, 'AccessExclusiveLock'].every((mode) =>
      modesOf.get(objectKey(lock))?.some((other) => other.mode === mode),
    );
  const hasPassingTrigger = effects.locks.some((lock) => lock.catalog === 'pg_trigger');
  const hasPassingKey = effects.locks.some(
    (lock) => lock.catalog === 'pg_constraint' && isUnexplained(lock, known) && !before.has(objectKey(lock)),
  );
  return (lock) => {
    const { oid, mode } = lock;
    if (mode !== KEY_LOCK && mode !== 'AccessExclusiveLock') return false;
    if (hasPassingTrigger && (referred.has(oid) || (hasPassingKey && isTakenAndGivenUp(lock)))) return true;
    return takenFrom.has(oid) || (mode === KEY_LOCK && addedTo.has(oid));
  };
}

function deedByLock(lock: SeenLock, known: Known, isExplainedRow: boolean): Trespass['deed'] | undefined {
  const key = objectKey(lock);
  const [was, is] = [known.before.get(key), known.now.get(key)];
  if (isUnexplained(lock, known)) {
    // The transaction created and dropped it: a table rewrite, for example.
    if (was === undefined) return undefined;
    return is === undefined ? 'dropped' : 'changed';
  }
  const isIndex = lock.kind === 'i' || lock.kind === 'I';
  if (lock.isOtherTenants) {
    if (isExclusive(lock)) return deedOf(was, is);
    return isIndex ? undefined : 'touched';
  }
  if (isWriteToState(lock)) return isIndex ? undefined : 'changed';
  const isGrave = isOutside(lock, known.schema) && isExclusive(lock) && !isOfBefore(lock, known.schemaBefore);
  return isGrave && !isExplainedRow ? deedOf(was, is) : undefined;
}

function deedByRow(row: SeenRow, { schemaBefore, before, now }: Known): Trespass['deed'] | undefined {
  const key = objectKey(row);
  const was = before.get(key);
  if (row.isReferred) return 'referred to';
  if (isOfBefore(row, schemaBefore)) return undefined;
  // A new type in the tenant's schema, whatever its oid.
  if (was === undefined) return row.isInSchema ? undefined : 'created';
  return row.catalog === 'pg_class' && was.form === now.get(key)?.form ? undefined : 'changed';
}

function deedOf(was: Description | undefined, is: Description | undefined): Trespass['deed'] {
  if (was === undefined) return 'created';
  return was.form === is?.form ? 'locked' : 'changed';
}

/**
 * A migration may create an extension with its objects, but not in another tenant's schema; provisioning may
 * create the tenant's role.
 */
function isExplained(row: SeenRow, { role, before, now }: Known): boolean {
  if (row.extension !== null) {
    const isNew = [row, { catalog: 'pg_extension', oid: row.extension }].every(
      (object) => !before.has(objectKey(object)),
    );
    return isNew && now.get(objectKey(row))?.isOtherTenants !== true;
  }
  if (row.catalog !== 'pg_authid' || role === undefined) return false;
  const identity = now.get(objectKey(row))?.identity;
  return identity === role || identity === identifier(role);
}

function stepOfLock(lock: SeenLock, { marks }: Facts): number {
  const key = lockKey(lock, lock.mode);
  const at = marks.findIndex(({ locks }) => locks.has(key));
  return at === -1 ? marks.length : at;
}

function stepOfRow({ writtenBy }: SeenRow, { marks }: Facts): number {
  return marks.filter(({ since }) => BigInt(writtenBy) >= since).length;
}
