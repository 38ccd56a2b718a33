import { describe, expect, test } from 'vitest';
import type { MigrateTenantsOptions } from '../../../src/core/commands/migrate-tenants.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { createFleet, fleetOn, resultOf, type TestFleet } from '../../support/fleet.ts';
import { makeStampLie } from '../../support/lying-stamp.ts';
import { createProject } from '../../support/project.ts';
import { expectTruth, FORGIVING, historyOf, ifMissing, stamped } from '../../support/stamps.ts';

/*
 * A stamp that somebody has forged is believed: that is what a stamp is for. `verify` is for whoever wants to know all
 * the same.
 */

const TENANTS = ['org_ahead', 'org_b', 'org_c'];

/** org_ahead has 3_links, the others do not; all are stamped. */
async function unevenFleet(): Promise<TestFleet> {
  const fleet = await createFleet(TENANTS, { project: await createProject(FORGIVING) });
  await fleet.add('3_links.js', ifMissing('links'));
  await fleet.migrate({ tenants: ['org_ahead'] });
  expect(await stamped(fleet)).toEqual(TENANTS);
  return fleet;
}

function listener(): { warnings: string[]; observe: MigrateTenantsOptions['observe'] } {
  const warnings: string[] = [];
  return { warnings, observe: (event) => event.type === 'warning' && warnings.push(event.message) };
}

const behind = async (fleet: TestFleet) =>
  (await fleet.status()).states.map(({ tenant, pending }) => [tenant.clerkOrgId, ...pending]);

const ABOUT_B = [expect.stringMatching(/^The stamps of 1 tenant did not match the history: org_b\./)];

describe('a stamp says that a tenant is up to date, and it is not', () => {
  test('status and migrate believe it', async () => {
    const fleet = await unevenFleet();
    await makeStampLie(fleet, 'org_b', 'org_ahead');
    expect(await behind(fleet)).toEqual([['org_c', '3_links.js']]);
    expect((await fleet.migrate()).totals).toMatchObject({ upToDate: 2, changed: 1 });
    expect(await fleet.history('org_b')).toEqual(['1_notes.js@1', '2_tags.js@1']);
  });

  test('status that verifies tells it, counts the truth, and puts the stamp right', async () => {
    const fleet = await unevenFleet();
    await makeStampLie(fleet, 'org_b', 'org_ahead');
    const { warnings, observe } = listener();
    const status = await fleet.status({ verify: true, observe });
    expect(warnings).toEqual(ABOUT_B);
    expect(status.tenants).toMatchObject({ upToDate: 1, behind: 2 });
    expect(await behind(fleet)).toEqual([
      ['org_b', '3_links.js'],
      ['org_c', '3_links.js'],
    ]);
    expect((await fleet.migrate()).totals).toMatchObject({ upToDate: 1, changed: 2 });
    await expectTruth(fleet, ...TENANTS);
  });

  test('migrate that verifies tells it, migrates the tenant, and its stamp is right then', async () => {
    const fleet = await unevenFleet();
    await makeStampLie(fleet, 'org_b', 'org_ahead');
    const { warnings, observe } = listener();
    const run = await fleet.migrate({ verify: true, observe });
    expect(run.totals).toMatchObject({ selected: 3, upToDate: 1, changed: 2, failed: 0 });
    expect(resultOf(run, 'org_b').names).toEqual(['3_links.js']);
    expect(warnings).toEqual(ABOUT_B);
    expect(await stamped(fleet)).toEqual(TENANTS);
    await expectTruth(fleet, ...TENANTS);
  });

  test('migrate that verifies puts the stamp right, also where the migration fails then', async () => {
    const fleet = await unevenFleet();
    await makeStampLie(fleet, 'org_b', 'org_ahead');
    await fleet.query(`ALTER TABLE ${historyOf('org_b')} ADD CHECK (name <> '3_links.js')`);
    expect((await fleet.migrate({ verify: true })).totals).toMatchObject({ failed: 1, changed: 1 });
    await expectTruth(fleet, ...TENANTS);
    expect((await fleet.migrate()).totals).toMatchObject({ failed: 1, upToDate: 2 });
  });

  test('migrate that verifies some tenants leaves the stamps of the others', async () => {
    const fleet = await unevenFleet();
    await makeStampLie(fleet, 'org_b', 'org_ahead');
    await makeStampLie(fleet, 'org_c', 'org_ahead');
    const run = await fleet.migrate({ verify: true, tenants: ['org_b'] });
    expect(run.totals).toMatchObject({ selected: 1, changed: 1 });
    expect(await behind(fleet)).toEqual([]);
    expect(await fleet.history('org_c')).toEqual(['1_notes.js@1', '2_tags.js@1']);
  });
});

describe('a stamp says that a tenant is behind, and it is not', () => {
  test('migrate does nothing to it all the same', async () => {
    const fleet = await unevenFleet();
    await makeStampLie(fleet, 'org_ahead', 'org_b');
    expect(await behind(fleet)).toHaveLength(3);
    const run = await fleet.migrate();
    expect(run.totals).toMatchObject({ changed: 2, failed: 0 });
    expect(await fleet.history('org_ahead')).toEqual(['1_notes.js@1', '2_tags.js@1', '3_links.js@2']);
    await expectTruth(fleet, ...TENANTS);
  });

  test('migrate that verifies tells it, and puts the stamp right', async () => {
    const fleet = await unevenFleet();
    await fleet.migrate({ tenants: ['org_b'] });
    await makeStampLie(fleet, 'org_b', 'org_c');
    const { warnings, observe } = listener();
    const run = await fleet.migrate({ verify: true, to: '3_links', observe });
    expect(run.totals).toMatchObject({ upToDate: 2, changed: 1 });
    expect(warnings).toEqual(ABOUT_B);
    expect(await behind(fleet)).toEqual([]);
    await expectTruth(fleet, ...TENANTS);
  });
});

describe('a stamp says that a tenant is well, and its history disagrees with the folder', () => {
  async function disagreeing(): Promise<TestFleet> {
    const fleet = await unevenFleet();
    await fleet.migrate();
    await fleet.query(`INSERT INTO ${historyOf('org_b')} (name, batch) VALUES ('0_strange.js', 1)`);
    await fleet.query('SELECT tenantctl.stamp($1)', [schemaNameFor('org_b')]);
    await makeStampLie(fleet, 'org_b', 'org_ahead');
    return fleet;
  }

  test('migrate that verifies says so, and so does the run after it', async () => {
    const fleet = await disagreeing();
    expect((await fleet.migrate()).totals).toMatchObject({ upToDate: 3, failed: 0 });
    expect((await fleet.migrate({ verify: true })).totals).toMatchObject({ upToDate: 2, failed: 1 });
    expect((await fleet.migrate()).totals).toMatchObject({ upToDate: 2, failed: 1 });
    await expectTruth(fleet, ...TENANTS);
  });

  test('status that verifies says so, and so does the status after it', async () => {
    const fleet = await disagreeing();
    for (const verify of [true, false]) {
      expect((await fleet.status({ verify })).states).toMatchObject([
        { tenant: { clerkOrgId: 'org_b' }, attention: { code: 'HISTORY_DISAGREES' } },
      ]);
    }
  });
});

test.each([
  ['status', (fleet: TestFleet) => fleet.status({ verify: true })],
  ['migrate', (fleet: TestFleet) => fleet.migrate({ verify: true })],
])('%s that verifies puts missing stamps there, and warns of nothing', async (_, verify) => {
  const fleet = await createFleet(TENANTS, { project: await createProject(FORGIVING) });
  await fleet.query('DELETE FROM tenantctl.stamps');
  await verify(fleet);
  expect(await stamped(fleet)).toEqual(TENANTS);
  const { warnings, observe } = listener();
  await fleet.status({ verify: true, observe });
  expect(warnings).toEqual([]);
});

test('what a stamp refers to, gone or forged: status that verifies tells the truth and puts it right', async () => {
  const fleet = await unevenFleet();
  for (const statement of [
    'DELETE FROM tenantctl.histories',
    `UPDATE tenantctl.histories SET entries = '[["1_notes.js", 1]]'`,
    `UPDATE tenantctl.histories SET digest = md5(digest::text)::uuid`,
  ]) {
    await fleet.query(statement);
    expect((await fleet.status({ verify: true })).tenants).toMatchObject({ upToDate: 1, behind: 2 });
    const known = await fleet.query(
      `SELECT DISTINCT s.digest FROM tenantctl.trusted_stamps s JOIN tenantctl.histories h USING (digest)
       WHERE (tenantctl.read_history(s.schema_name)).entries = h.entries`,
    );
    expect(known).toHaveLength(2);
    await expectTruth(fleet, ...TENANTS);
  }
});

test.each([
  ['deleted', 'DELETE FROM tenantctl.histories'],
  ['emptied', `UPDATE tenantctl.histories SET entries = '[]'`],
  [
    'exchanged',
    'UPDATE tenantctl.histories h SET entries = o.entries FROM tenantctl.histories o WHERE o.digest <> h.digest',
  ],
])(
  'what stamps refer to is %s: the next run does what is to be done, and puts it right',
  async (_, statement) => {
    const fleet = await unevenFleet();
    await fleet.query(statement);
    const run = await fleet.migrate();
    expect(run.totals).toMatchObject({ upToDate: 1, changed: 2, failed: 0 });
    const [wrong] = await fleet.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM tenantctl.trusted_stamps s LEFT JOIN tenantctl.histories h USING (digest)
     WHERE (tenantctl.read_history(s.schema_name)).entries IS DISTINCT FROM h.entries`,
    );
    expect(wrong?.n).toBe(0);
    expect(await stamped(fleet)).toEqual(TENANTS);
    await expectTruth(fleet, ...TENANTS);
  },
);

test('where nothing may be written, status that verifies tells the truth and leaves the stamp as it is', async () => {
  const fleet = await unevenFleet();
  await makeStampLie(fleet, 'org_b', 'org_ahead');
  const stamps = () => fleet.query('SELECT *, xmin FROM tenantctl.stamps ORDER BY 1');
  const kept = await stamps();
  await fleet.query(
    `ALTER DATABASE ${fleet.testDatabase.settings.database} SET default_transaction_read_only = on`,
  );
  const database = await fleet.testDatabase.open();
  expect(database.readOnly).toBe(true);
  const { warnings, observe } = listener();
  const status = await fleetOn(fleet.testDatabase, database, fleet.project).status({ verify: true, observe });
  expect(status.tenants).toMatchObject({ upToDate: 1, behind: 2 });
  expect(warnings).toEqual(ABOUT_B);
  expect(await stamps()).toEqual(kept);
});
