import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { backupTenants } from '../../../src/core/tenant/backup.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { cloneTenant } from '../../../src/core/tenant/clone.ts';
import { dropTenant } from '../../../src/core/tenant/drop.ts';
import { renameTenant } from '../../../src/core/tenant/rename.ts';
import { restoreTenant } from '../../../src/core/tenant/restore.ts';
import { resumeTenant } from '../../../src/core/tenant/resume.ts';
import { suspendTenant } from '../../../src/core/tenant/suspend.ts';
import { createFleet } from '../../support/fleet.ts';
import { refusalOf } from '../../support/refusal.ts';

test('where the application alone inserts rows, tenants are cloned and restored into rows that wait for them', async () => {
  const { database, query, project } = await createFleet(['org_a']);
  const folder = project.tenants;
  await query(
    'ALTER TABLE tenants ADD seats int; UPDATE tenants SET seats = 1; ALTER TABLE tenants ALTER seats SET NOT NULL, ALTER schema_name DROP NOT NULL',
  );
  await query(
    `INSERT INTO tenants (clerk_org_id, schema_name, status, seats) VALUES ('org_b', NULL, 'PROVISIONING', 1), ('org_c', NULL, 'PROVISIONING', 1)`,
  );
  const { tenants } = await backupTenants(database, {
    tenants: ['org_a'],
    directory: await mkdtemp(join(tmpdir(), 'backups-')),
  });

  await cloneTenant(database, 'org_a', 'org_b', { folder });
  await restoreTenant(database, tenants[0]?.file ?? '', { folder, as: 'org_c' });

  expect(await query('SELECT clerk_org_id, schema_name, status FROM tenants ORDER BY 1')).toEqual(
    ['org_a', 'org_b', 'org_c'].map((id) => ({
      clerk_org_id: id,
      schema_name: schemaNameFor(id),
      status: 'ACTIVE',
    })),
  );
  const refusal = await refusalOf(cloneTenant(database, 'org_a', 'org_d', { folder }));
  expect(refusal).toMatchObject({ code: 'TENANT_UNKNOWN' });
  expect(refusal.hint).toContain('Then run the command again.');
});

test('of a tenant whose row is there twice, the status can be changed; its names and its schema stay', async () => {
  const { database, query, project } = await createFleet(['org_a']);
  await query(`CREATE TABLE rows AS TABLE tenants; DROP TABLE tenants; ALTER TABLE rows RENAME TO tenants`);
  await query('INSERT INTO tenants SELECT * FROM tenants');
  const statuses = () => query('SELECT status FROM tenants');

  expect(await suspendTenant(database, 'org_a')).toMatchObject({ outcome: 'suspended' });
  expect(await statuses()).toEqual([{ status: 'SUSPENDED' }, { status: 'SUSPENDED' }]);
  const shared = { code: 'SCHEMA_NAME_TAKEN', tenant: 'org_a' };
  expect(await refusalOf(dropTenant(database, 'org_a'))).toMatchObject(shared);
  expect(await refusalOf(renameTenant(database, 'org_a', 'org_b'))).toMatchObject(shared);
  expect(await statuses()).toEqual([{ status: 'SUSPENDED' }, { status: 'SUSPENDED' }]);

  await query(`DELETE FROM tenants WHERE ctid = (SELECT max(ctid) FROM tenants)`);
  expect(await resumeTenant(database, 'org_a', { folder: project.tenants })).toMatchObject({
    outcome: 'resumed',
  });
});
