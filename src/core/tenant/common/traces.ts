import { identifier, literal } from '../../../db/sql.ts';
import type { Names } from '../../../names.ts';
import { historyOf } from '../../stamps/server-routines.ts';
import { deleteIntent } from '../../state/intents.ts';
import { forgetScripts } from '../../state/scripts.ts';
import { tenantId } from '../../state/tenant-ids.ts';

interface HalfMade {
  readonly schema: string;
  /** The role created for it, if any. */
  readonly role?: string | undefined;
  readonly run?: number | undefined;
}

/** For the holder of the tenant's lock. Its registry row (FAILED), failure and tenantctl id stay. */
export function removeTraces(names: Names, { schema, role, run }: HalfMade): string[] {
  const entries = `DELETE FROM tenantctl.run_tenants WHERE tenant = ${tenantId(schema)} AND run = ${run}`;
  return [
    // Delete the stamp first, while its table can be found.
    `DELETE FROM tenantctl.stamps WHERE history_oid = ${historyOf(names, literal(schema))}`,
    // Includes its history tables and their trigger function.
    `DROP SCHEMA IF EXISTS ${identifier(schema)} CASCADE`,
    ...(role === undefined ? [] : [`DROP ROLE IF EXISTS ${identifier(role)}`]),
    deleteIntent(schema),
    forgetScripts(schema),
    ...(run === undefined ? [] : [entries]),
  ];
}
