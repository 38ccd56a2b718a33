import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import type { TestFleet } from './fleet.ts';

/** Replaces a tenant's stamp with another's, undetectable without reading the history. */
export async function makeStampLie(fleet: Pick<TestFleet, 'query'>, id: string, like: string): Promise<void> {
  await fleet.query(
    `UPDATE tenantctl.stamps
     SET digest = (SELECT digest FROM tenantctl.stamps WHERE schema_name = $2),
         written_by = (txid_current() & 4294967295)::text::xid
     WHERE schema_name = $1`,
    [schemaNameFor(id), schemaNameFor(like)],
  );
}
