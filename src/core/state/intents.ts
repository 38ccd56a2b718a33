import { literal } from '../../db/sql.ts';
import { tenantId } from './tenant-ids.ts';

/** A migration outside a transaction of which only the beginning is known. */
export interface Intent {
  readonly migration: string;
  readonly direction: 'up' | 'down';
  readonly startedAt: Date;
}

/** An intent with all that is known of it. */
export interface BegunIntent extends Pick<Intent, 'migration' | 'direction'> {
  /** The batch that it was going to be recorded in; null where an older tenantctl began it. */
  readonly batch: number | null;
  /** The run that began it. */
  readonly run: number | null;
  /** The process id of the backend that carries it out, where that is still there. */
  readonly backend: number | null;
}

/** A migration that is about to be run outside a transaction. */
interface NewIntent extends Pick<Intent, 'migration' | 'direction'> {
  readonly schema: string;
  readonly batch: number;
  readonly run: number | undefined;
}

/** For the backend that is going to run the migration. */
export function insertIntent({ schema, migration, direction, batch, run }: NewIntent): string {
  return `INSERT INTO tenantctl.intents (tenant, migration, direction, batch, run, backend_pid, backend_start)
          VALUES (${tenantId(schema)}, ${literal(migration)}, ${literal(direction)}, ${batch}, ${run ?? 'NULL'}, pg_backend_pid(), ${OWN_START})`;
}

const OWN_START = '(SELECT a.backend_start FROM pg_stat_get_activity(pg_backend_pid()) a)';

/** For the backend that has inserted the intent: it deletes no row where somebody has resolved it in the meantime. */
export function deleteOwnIntent(schema: string): string {
  return `${deleteIntent(schema)} AND backend_pid = pg_backend_pid() AND backend_start IS NOT DISTINCT FROM ${OWN_START}`;
}

/** Whether the backend that carries an intent out is still there: columns of tenantctl.intents, in SQL. */
export const BACKEND_LIVES = `EXISTS (
  SELECT FROM pg_stat_activity a
  WHERE a.pid = backend_pid AND a.datname = current_database() AND a.backend_start IS NOT DISTINCT FROM intents.backend_start)`;

export function deleteIntent(schema: string): string {
  return `DELETE FROM tenantctl.intents WHERE tenant = ${tenantId(schema)}`;
}
