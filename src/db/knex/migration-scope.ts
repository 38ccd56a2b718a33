import { AsyncLocalStorage } from 'node:async_hooks';

/** A migration whose code runs. */
export interface Scoped {
  /** Takes an error that nobody catches. @returns false if the migration is over */
  blame(error: unknown): boolean;
}

/** Follows the calls of a migration into callbacks, timers and promises that nobody awaits. */
const scope = new AsyncLocalStorage<Scoped>();

/** Runs a migration's code. */
export function inMigrationScope<T>(migration: Scoped, work: () => T): T {
  return scope.run(migration, work);
}

/** The migration whose code is running. */
export function migrationInScope(): Scoped | undefined {
  return scope.getStore();
}

/** Gives an error to the migration whose code is running. @returns false without one, or if it is over */
export function blameMigration(error: unknown): boolean {
  return migrationInScope()?.blame(error) ?? false;
}
