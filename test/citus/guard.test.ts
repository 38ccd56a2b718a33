import { Client } from 'pg';
import { expect, test } from 'vitest';
import { createCitusFleet } from '../support/citus-fleet.ts';
import { CANNOT_IN_BLOCK, DEEDS, quoted, raw } from '../support/guard-deeds.ts';
import { everythingElse, NEIGHBOUR, NEIGHBOUR_HAS, SHARED } from '../support/guarded-fleet.ts';
import { createTable, knexMigration } from '../support/project.ts';

/** No right to it, or Citus does not do it. */
const REFUSED_BY_SERVER = /^(?:42501|42P16|XX000|0A000)$/;

test(
  'whatever a migration does outside its schema is refused on nodes, too, and leaves nothing behind',
  {
    timeout: 900_000,
  },
  async () => {
    const fleet = await createCitusFleet(['org_a', NEIGHBOUR]);
    await fleet.add(
      '20250101000003_users.sql',
      createTable('users', 'id int PRIMARY KEY, name text, country text'),
    );
    await fleet.add(
      '20250101000004_items.sql',
      createTable('items', 'id int PRIMARY KEY, "user" int REFERENCES users'),
    );
    await fleet.migrate();
    const client = new Client({ connectionString: fleet.testDatabase.url });
    await client.connect();
    const statements = ['SET citus.enable_schema_based_sharding TO off', SHARED, NEIGHBOUR_HAS];
    for (const text of statements.flatMap((each) => each.split(';\n'))) await client.query(text);
    await client.end();
    const before = await everythingElse(fleet);
    const accepted: string[] = [];

    for (const [nth, [sentence, text]] of DEEDS.entries()) {
      const hidden = `DO $do$ BEGIN EXECUTE '${quoted(text)}'; END $do$`;
      const name = `3_deed_${nth}.js`;
      await fleet.add(name, knexMigration(raw(CANNOT_IN_BLOCK.test(text) ? text : hidden), ''));
      const [result] = (await fleet.migrate({ tenants: ['org_a'], retries: 0 })).tenants;
      const { code, sqlstate = '' } = result?.error ?? {};
      if (code !== 'MIGRATION_OUTSIDE_SCHEMA' && !REFUSED_BY_SERVER.test(sqlstate)) accepted.push(sentence);
      await fleet.project.remove(`migrations/tenants/${name}`);
    }

    await fleet.add('4_innocent.js', knexMigration(raw('ALTER TABLE users ADD mail text'), ''));
    expect((await fleet.migrate({ tenants: ['org_a'] })).tenants[0]?.outcome).toBe('migrated');
    expect(accepted).toEqual([]);
    expect(await everythingElse(fleet)).toEqual(before);
  },
);
