import { isLocked } from '../../db/advisory-lock.ts';

/**
 * SQL that tests whether run r of tenantctl.runs is active: it has no end, and its process holds the lock of
 * its lease (src/db/lease.ts). Before version 8 there was no column `lease` and each run had its own lock.
 */
export const AT_WORK = `(r.ended_at IS NULL AND ${isLocked(`coalesce('lease:' || (to_jsonb(r) ->> 'lease'), 'run:' || r.id)`)})`;
