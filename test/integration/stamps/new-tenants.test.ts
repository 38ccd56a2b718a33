import { expect, test } from 'vitest';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { createFleet, type TestFleet } from '../../support/fleet.ts';
import { createProject } from '../../support/project.ts';
import { expectTruth, FORGIVING, stamped } from '../../support/stamps.ts';

/* The stamp of a new tenant is true also where a migration reaches the history under another spelling of its name. */

const OLD = ['org_1', 'org_2'];
const NEW = ['org_n1', 'org_n2', 'org_n3', 'org_n4', 'org_n5'];

/** A function that adds a row of its own to the history that its trigger is on. */
const ADDS_A_ROW = `CREATE FUNCTION add_a_row() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN
  IF pg_trigger_depth() = 1 THEN
    EXECUTE format('INSERT INTO %I.%I (name, batch) VALUES (''0_strange.js'', 1)', TG_TABLE_SCHEMA, TG_TABLE_NAME);
  END IF;
  RETURN NULL;
END $f$`;

async function provisioned(name: string): Promise<TestFleet> {
  const project = await createProject(FORGIVING);
  const fleet = await createFleet(OLD, { project });
  const trigger = `CREATE TRIGGER add_a_row AFTER INSERT ON ${name} FOR EACH ROW EXECUTE FUNCTION add_a_row()`;
  await fleet.add('3_strange.sql', `-- migrate:up\n${ADDS_A_ROW};\n${trigger};\n-- migrate:down\n`);
  expect(await fleet.provision(...NEW)).toMatchObject(NEW.map(() => ({ outcome: 'provisioned' })));
  return fleet;
}

test.each([
  ['as it is', 'knex_migrations_tenant'],
  ['in capitals', 'KNEX_MIGRATIONS_TENANT'],
  ['with escapes', String.raw`U&"knex\005fmigrations_tenant"`],
])(
  'a migration that names the history %s, and adds to it by a trigger, has no false stamp',
  async (_, name) => {
    const fleet = await provisioned(name);
    await expectTruth(fleet, ...NEW);
    expect(await fleet.history('org_n5')).toContain('0_strange.js@1');
  },
);

test('a new tenant in a string is sent the trigger and the stamp that the server would make', async () => {
  const fleet = await createFleet(OLD, { project: await createProject(FORGIVING) });
  await fleet.provision(...NEW);
  expect(await stamped(fleet)).toEqual([...OLD, ...NEW]);
  await expectTruth(fleet, ...NEW);
  const schema = schemaNameFor('org_n5');
  const made = () =>
    fleet.query(
      `SELECT t.tgrelid::regclass::text AS "table", t.tgenabled, pg_get_triggerdef(t.oid) AS definition, t.xmin::text,
              p.xmin::text AS function_xmin, pg_get_functiondef(p.oid) AS function, obj_description(p.oid, 'pg_proc') AS about,
              ARRAY[t.xmin, p.xmin, s.xmin, s.written_by] = array_fill(r.xmin, ARRAY[4]) AS "isOfOneString"
       FROM tenantctl.stamps s
       JOIN tenants r USING (schema_name)
       JOIN pg_trigger t ON t.tgrelid IN (s.history_oid, s.lock_oid) AND t.tgname = 'tenantctl_unstamp'
       JOIN pg_proc p ON p.oid = t.tgfoid
       WHERE s.schema_name = $1 ORDER BY 1`,
      [schema],
    );
  const before = await made();
  // The server stamps in a subtransaction, which has an id of its own.
  expect(before).toMatchObject([{ isOfOneString: true }, { isOfOneString: true }]);
  await fleet.query('SELECT tenantctl.put_history_trigger($1)', [schema]);
  expect(await made()).toEqual(before);
});

const HIDDEN = `DO $$ BEGIN
  EXECUTE 'INSERT INTO knex_migrations' || '_tenant (name, batch) VALUES (''0_strange.js'', 1)';
END $$`;

test('a new tenant whose migration writes the history by a name that no text has is stamped with what it holds', async () => {
  const fleet = await createFleet(OLD, { project: await createProject(FORGIVING) });
  await fleet.add('3_strange.sql', `-- migrate:up\n${HIDDEN};\n-- migrate:down\n`);

  await fleet.provision(...NEW);

  await expectTruth(fleet, ...NEW);
  expect(await fleet.history('org_n5')).toContain('0_strange.js@1');
  expect(await stamped(fleet)).toEqual(expect.arrayContaining(NEW));
});
