import type { SeenLock } from './effects.ts';

/** From the weakest to the strongest. */
const MODES = [
  'AccessShareLock',
  'RowShareLock',
  'RowExclusiveLock',
  'ShareUpdateExclusiveLock',
  'ShareLock',
  'ShareRowExclusiveLock',
  'ExclusiveLock',
  'AccessExclusiveLock',
];
const WEAKEST_EXCLUSIVE = MODES.indexOf('ShareUpdateExclusiveLock');

/** PostgreSQL itself locks its catalogs in weaker modes. */
const WEAKEST_ON_CATALOG = MODES.indexOf('ExclusiveLock');

/** Schemas of the system, or of the session. */
const SYSTEM = /^(?:pg_catalog|pg_toast|pg_temp_\d+|pg_toast_temp_\d+|information_schema)$/;

export function strengthOf({ mode }: SeenLock): number {
  return MODES.indexOf(mode);
}

export function isExclusive(lock: SeenLock): boolean {
  return strengthOf(lock) >= WEAKEST_EXCLUSIVE;
}

/** On a table of public, against other tenants. */
export function isSharedAgainstOthers(lock: SeenLock): boolean {
  return lock.schema === 'public' && (lock.kind === 'r' || lock.kind === 'p') && isExclusive(lock);
}

export function isOfSystem({ schema }: SeenLock): boolean {
  return SYSTEM.test(schema ?? '');
}

/** On an existing relation outside the tenant's schema. */
export function isOutside(lock: SeenLock, own: string): boolean {
  const { schema } = lock;
  if (schema === null || schema === own) return false;
  return !isOfSystem(lock) || (schema === 'pg_catalog' && strengthOf(lock) >= WEAKEST_ON_CATALOG);
}
