import { counted, listed } from '../../wording.ts';
import type { Member } from './member.ts';
import type { Observer } from '../report/event.ts';
import { digester, readKnownHistories, stampTenants, type StampOptions } from '../stamps/stamps.ts';
import { STAMPS_SINCE, readStateVersion } from '../state/version.ts';
import type { Database } from '../../db/database.ts';

/** Corrects stamps from the history tables that were read. Warns of wrong stamps, which should not exist. */
export async function putStampsRight(
  database: Database,
  members: readonly Member[],
  observe: Observer,
  options: StampOptions = {},
): Promise<void> {
  if (!database.keepsStamps) return;
  const read = members.filter(({ isRead }) => isRead);
  if (read.length === 0 || (await readStateVersion(database)) < STAMPS_SINCE) return;
  const digest = digester();
  const known = await readKnownHistories(database);
  const wanting = read.flatMap(({ tenant, history }) => {
    // Nothing to stamp without a history table; no stamp may exist while Knex's lock is set.
    if (!tenant.hasHistory || history.lockedByKnex) return [];
    return tenant.digest !== digest(history.entries) || !known.has(tenant.digest) ? [tenant] : [];
  });
  if (wanting.length === 0) return;
  const wrong = wanting.filter((tenant) => tenant.digest !== null && known.has(tenant.digest));
  if (wrong.length > 0) {
    const names = listed(wrong.map(({ clerkOrgId }) => clerkOrgId));
    const message = `The stamps of ${counted(wrong.length, 'tenant')} did not match the history: ${names}. The history is used.`;
    observe({ type: 'warning', message });
  }
  if (database.readOnly) return;
  observe({ type: 'phase', message: `Stamping ${counted(wanting.length, 'tenant')}` });
  const schemas = wanting.map(({ schema }) => schema);
  for (const [reason, count] of await stampTenants(database, schemas, options)) {
    const message = `${counted(count, 'tenant')} without a stamp, so that history tables are read every time: ${reason}`;
    observe({ type: 'note', message });
  }
}
