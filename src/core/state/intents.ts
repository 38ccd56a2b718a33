import { literal } from '../../db/sql.ts';
import { tenantId } from './tenant-ids.ts';

/** A migration outside a transaction that has started; its outcome is not recorded yet. */
export interface Intent {
  readonly migration: string;
  readonly direction: 'up' | 'down';
  readonly startedAt: Date;
}

export interface BegunIntent extends Pick<Intent, 'migration' | 'direction'> {
  /** The batch to record it in; null if an older tenantctl started it. */
  readonly batch: number | null;
  readonly run: number | null;
  /** The process id of its backend, if still connected. */
  readonly backend: number | null;
}

/** A migration that is about to run outside a transaction. */
interface NewIntent extends Pick<Intent, 'migration' | 'direction'> {
  readonly schema: string;
  readonly batch: number;
  readonly run: number | undefined;
}

/** Must run in the backend that will run the migration. */
export function insertIntent({ schema, migration, direction, batch, run }: NewIntent): string {
  return `INSERT INTO tenantctl.intents (tenant, migration, direction, batch, run, backend_pid, backend_start)
          VALUES (${tenantId(schema)}, ${literal(migration)}, ${literal(direction)}, ${batch}, ${run ?? 'NULL'}, pg_backend_pid(), ${OWN_START})`;
}

const OWN_START = '(SELECT a.backend_start FROM pg_stat_get_activity(pg_backend_pid()) a)';

/** Must run in the backend that inserted the intent. Deletes nothing if it has since been resolved. */
export function deleteOwnIntent(schema: string): string {
  return `${deleteIntent(schema)} AND backend_pid = pg_backend_pid() AND backend_start IS NOT DISTINCT FROM ${OWN_START}`;
}

/** The SQLSTATE of takeOwnIntent (division by zero) if the intent has been resolved since. */
export const NO_INTENT = '22012';

/** Does what deleteOwnIntent does, and fails if there is nothing to delete. */
export function takeOwnIntent(schema: string): string {
  return `WITH own AS (${deleteOwnIntent(schema)} RETURNING 1) SELECT 1 / count(*) FROM own`;
}

/**
 * SQL on tenantctl.intents: whether the backend of the intent is still connected. To plan the view pg_stat_activity
 * takes the server three times as long.
 */
export const BACKEND_LIVES = `EXISTS (
  SELECT FROM pg_stat_get_activity(backend_pid) a
  WHERE a.pid = backend_pid AND a.datid = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND a.backend_start IS NOT DISTINCT FROM intents.backend_start)`;

export function deleteIntent(schema: string): string {
  return `DELETE FROM tenantctl.intents WHERE tenant = ${tenantId(schema)}`;
}
