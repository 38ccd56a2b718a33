import { expect, test } from 'vitest';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { createFleet } from '../../support/fleet.ts';
import { knexMigration } from '../../support/project.ts';

const TENANTS = ['org_a', 'org_b', 'org_c', 'org_d'];

const IN_EVERY_TENANT = (statement: string) =>
  TENANTS.map((id) => `SET search_path TO ${schemaNameFor(id)}; ${statement}`).join(';\n');

const LOGGED = 'CREATE TABLE log (query text); INSERT INTO notes VALUES (1)';
const TRIGGER = 'CREATE TRIGGER log AFTER UPDATE ON notes EXECUTE FUNCTION public.log()';

/** Ways to store what changes a row of notes. */
const WAYS = {
  'a trigger': `CREATE FUNCTION public.log() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN EXECUTE format('INSERT INTO %I.log VALUES ($1)', TG_TABLE_SCHEMA) USING Current_Query(); RETURN NULL; END $f$; ${IN_EVERY_TENANT(`${LOGGED}; ${TRIGGER}`)}`,
  'a function with a body in SQL': `CREATE FUNCTION public.asked() RETURNS text BEGIN ATOMIC SELECT current_query(); END;
    CREATE FUNCTION public.log() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN EXECUTE format('INSERT INTO %I.log VALUES (public.asked())', TG_TABLE_SCHEMA); RETURN NULL; END $f$; ${IN_EVERY_TENANT(`${LOGGED}; ${TRIGGER}`)}`,
  'the default of a column': `CREATE FUNCTION public.log() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN EXECUTE format('INSERT INTO %I.log DEFAULT VALUES', TG_TABLE_SCHEMA); RETURN NULL; END $f$;
    ${IN_EVERY_TENANT(`${LOGGED}; ALTER TABLE log ALTER query SET DEFAULT current_query(); ${TRIGGER}`)}`,
  'a rule': IN_EVERY_TENANT(
    `${LOGGED}; CREATE RULE log AS ON UPDATE TO notes DO ALSO INSERT INTO log VALUES (current_query())`,
  ),
  'a domain in public': `CREATE DOMAIN public.asked AS text DEFAULT current_query();
    CREATE FUNCTION public.log() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN EXECUTE format('INSERT INTO %I.log DEFAULT VALUES', TG_TABLE_SCHEMA); RETURN NULL; END $f$;
    ${IN_EVERY_TENANT(`${LOGGED}; ALTER TABLE log ALTER query TYPE public.asked; ${TRIGGER}`)}`,
  'a view of a schema that all share': `CREATE SCHEMA audit; CREATE VIEW audit.asked AS SELECT current_query() AS query;
    CREATE FUNCTION public.log() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN EXECUTE format('INSERT INTO %I.log TABLE audit.asked', TG_TABLE_SCHEMA); RETURN NULL; END $f$; ${IN_EVERY_TENANT(`${LOGGED}; ${TRIGGER}`)}`,
  'a trigger that asks pg_stat_activity': `CREATE FUNCTION public.log() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN EXECUTE format('INSERT INTO %I.log SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid()', TG_TABLE_SCHEMA); RETURN NULL; END $f$; ${IN_EVERY_TENANT(`${LOGGED}; ${TRIGGER}`)}`,
};

test.each(Object.entries(WAYS))(
  '%s that stores what runs stores the same statement for every tenant, and the notes say why',
  async (_, statements) => {
    const fleet = await createFleet(TENANTS);
    await fleet.query(statements);
    await fleet.add('3_change.js', knexMigration(`await knex.raw('UPDATE notes SET id = id');`));
    const notes: string[] = [];
    const { totals } = await fleet.migrate({
      concurrency: 1,
      observe: (event) => void (event.type === 'note' && notes.push(event.message)),
    });
    expect(totals).toMatchObject({ changed: 4, failed: 0 });
    for (const id of TENANTS)
      expect(await fleet.query(`SELECT query FROM ${schemaNameFor(id)}.log`)).toEqual([
        { query: 'UPDATE notes SET id = id' },
      ]);
    expect(notes.join('\n')).toContain(
      '3_change.js is run for every tenant separately: something stores how statements are sent',
    );
  },
);
