import { expect, test } from 'vitest';
import { STATE_VERSION } from '../../../src/core/install/state-schema.ts';
import { createFleet } from '../../support/fleet.ts';
import { createTable } from '../../support/project.ts';

test('what an older tenantctl left in the schema tenantctl is made anew, and its tables keep what they hold', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.query('DROP PROCEDURE tenantctl.leave');
  await fleet.query(
    `CREATE FUNCTION tenantctl.leave(tenant_schema text) RETURNS void LANGUAGE sql AS 'SELECT 1/0'`,
  );
  await fleet.query('CREATE FUNCTION tenantctl.long_gone() RETURNS int LANGUAGE sql AS $$SELECT 1$$');
  await fleet.query('DROP TABLE tenantctl.runs, tenantctl.run_tenants');
  await fleet.query('UPDATE tenantctl.state_version SET version = 2');
  const stamps = await fleet.query('SELECT * FROM tenantctl.stamps ORDER BY 1');
  expect(stamps).toHaveLength(2);

  await fleet.add('9_more.sql', createTable('more'));
  const result = await fleet.migrate();
  await fleet.provision('org_c', 'org_d', 'org_e');

  expect(result.totals).toMatchObject({ selected: 2, changed: 2, failed: 0 });
  expect(await fleet.query('SELECT max(version) AS version FROM tenantctl.state_version')).toEqual([
    { version: STATE_VERSION },
  ]);
  expect(await fleet.query(`SELECT to_regproc('tenantctl.long_gone') AS gone`)).toEqual([{ gone: null }]);
  expect(await fleet.query('SELECT schema_name FROM tenantctl.trusted_stamps')).toHaveLength(5);
});

test('no routine of tenantctl is compiled just in time, which would take longer than the routine', async () => {
  const fleet = await createFleet(['org_a']);
  const routines = await fleet.query<{ name: string; jit: boolean }>(
    `SELECT proname AS name, 'jit=off' = ANY(proconfig) IS NOT TRUE AS jit FROM pg_proc
     WHERE pronamespace = 'tenantctl'::regnamespace`,
  );
  expect(routines.length).toBeGreaterThan(5);
  expect(routines.filter(({ jit }) => jit)).toEqual([]);
});
