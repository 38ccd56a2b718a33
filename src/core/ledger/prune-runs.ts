import { isAtWork } from './at-work.ts';
import type { Database } from '../../db/database.ts';

/**
 * Forgets the oldest runs of a command, with what they did to each tenant. Those that did something are counted apart
 * from those that found nothing to do: a job that looks every minute must not push out last week's deploy. A run that is
 * at work stays, and so does the newest.
 */
export async function pruneRuns(database: Database, command: string, keep: number): Promise<void> {
  await database.query(
    `WITH ranked AS (
       SELECT id, row_number() OVER (PARTITION BY is_idle ORDER BY id DESC) AS place
       FROM tenantctl.runs WHERE command = $1),
     old AS (
       DELETE FROM tenantctl.runs WHERE id IN (
         SELECT r.id FROM tenantctl.runs r JOIN ranked USING (id)
         WHERE place > $2 AND NOT ${isAtWork('r')}
         ORDER BY r.id FOR UPDATE OF r SKIP LOCKED)
       RETURNING id)
     DELETE FROM tenantctl.run_tenants t USING old WHERE t.run = old.id`,
    [command, Math.max(1, keep)],
  );
}
