import { AsyncLocalStorage } from 'node:async_hooks';

/** Follows the calls of a migration into callbacks, timers and promises that nobody awaits. */
const scope = new AsyncLocalStorage<(error: unknown) => boolean>();

/** Runs a migration's code. @param blame takes an error that nobody catches; false if the migration is over */
export function inMigrationScope<T>(blame: (error: unknown) => boolean, work: () => T): T {
  return scope.run(blame, work);
}

/** Gives an error to the migration whose code is running. @returns false without one, or if it is over */
export function blameMigration(error: unknown): boolean {
  return scope.getStore()?.(error) ?? false;
}
