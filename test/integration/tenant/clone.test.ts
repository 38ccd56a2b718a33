import { expect, test } from 'vitest';
import type { Mask } from '../../../src/core/content/mask.ts';
import { measureContent } from '../../../src/core/content/measure-content.ts';
import { readContent } from '../../../src/core/content/read-content.ts';
import { readRunTenants } from '../../../src/core/ledger/read-runs.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { seedTenants } from '../../../src/core/commands/seed-tenants.ts';
import { readShape } from '../../../src/core/shape/read-shapes.ts';
import { cloneTenant, planClone } from '../../../src/core/tenant/clone.ts';
import type { CloneOptions } from '../../../src/core/tenant/clone/clone-options.ts';
import { suspendTenant } from '../../../src/core/tenant/suspend.ts';
import { withTransaction } from '../../../src/db/transaction.ts';
import { EVERY_KIND, NOT_VALID, ROWS_OF_EVERY_KIND } from '../../support/every-kind.ts';
import { createFleet, type TestFleet } from '../../support/fleet.ts';
import { holdLock } from '../../support/hold-lock.ts';
import { createTable } from '../../support/project.ts';

const A = schemaNameFor('org_a');
const B = schemaNameFor('org_b');
const KEY = 'a secret of the tests';

const up = (sql: string) => `-- migrate:up\n${sql};\n-- migrate:down\n`;

const cloneIn = (fleet: TestFleet, options: Partial<CloneOptions> = {}, to = 'org_b') =>
  cloneTenant(fleet.database, 'org_a', to, { folder: fleet.project.tenants, ...options });

/** Rows, hashes and shape of both tenants. */
const compared = ({ database }: TestFleet) =>
  withTransaction(database, {}, [], async ({ client }) => {
    const content = await readContent(client, A, database.names);
    const [a, b] = [await readShape(client, A, database), await readShape(client, B, database)];
    return {
      digests: [a.digest, b.digest],
      a: await measureContent(client, A, content),
      b: await measureContent(client, B, content),
    };
  });

/** What is left of org_b. */
async function traces({ query }: TestFleet) {
  return query(
    `SELECT (SELECT count(*)::int FROM tenants WHERE clerk_org_id = 'org_b') AS rows,
            (SELECT count(*)::int FROM pg_namespace WHERE nspname = $1) AS schemas,
            (SELECT count(*)::int FROM tenantctl.verb_intents) AS intents`,
    [B],
  );
}
const NOTHING = [{ rows: 0, schemas: 0, intents: 0 }];

test('a clone has the rows, numbers, history and seeds of its source, whatever its schema holds', async () => {
  const fleet = await createFleet([]);
  const { database, query } = fleet;
  await query('CREATE TABLE public.plans (id int PRIMARY KEY); INSERT INTO public.plans VALUES (1), (2)');
  await fleet.add(
    '3_kinds.sql',
    up(`${EVERY_KIND}; INSERT INTO accounts (name) VALUES ('of the migration')`),
  );
  await fleet.provision('org_a');
  await query(
    `SET search_path TO ${A}, public; DELETE FROM accounts; ALTER SEQUENCE accounts_id_seq RESTART; ${ROWS_OF_EVERY_KIND}`,
  );
  await fleet.add('4_not_valid.sql', up(NOT_VALID));
  await fleet.migrate();
  await fleet.project.write('seeds/tenants/1_seed.sql', 'INSERT INTO legacy VALUES (5, NULL, 5)');
  const seedFolder = `${fleet.project.folder}/seeds/tenants`;
  await seedTenants(database, { folder: fleet.project.tenants, seedFolder });
  await fleet.add('5_pending.sql', createTable('pending'));

  const result = await cloneIn(fleet);
  expect(result).toMatchObject({
    clerkOrgId: 'org_b',
    schema: B,
    source: { clerkOrgId: 'org_a', schema: A },
    differences: [],
  });
  const { a, b, digests } = await compared(fleet);
  expect(b).toEqual(a);
  expect(digests[1]).toBe(digests[0]);
  expect(result.rows).toBe(Number([...a.values()].reduce((sum, { rows }) => sum + rows, 0n)));
  expect(await fleet.history('org_b')).toEqual(await fleet.history('org_a'));
  expect(await query(`SELECT kind::oid::regclass::text AS kind FROM ${B}.users ORDER BY id`)).toEqual([
    { kind: `${B}.accounts` },
    { kind: `${B}.users` },
  ]);
  expect(await query(`SELECT nextval('${B}.accounts_id_seq')::int AS id`)).toEqual([{ id: 4 }]);

  expect(await query(`SELECT status FROM tenants WHERE clerk_org_id = 'org_b'`)).toEqual([
    { status: 'ACTIVE' },
  ]);
  expect(await query('SELECT FROM tenantctl.verb_intents')).toEqual([]);
  expect(await query(`SELECT FROM tenantctl.trusted_stamps WHERE schema_name = '${B}'`)).toHaveLength(1);
  expect(await readRunTenants(database, result.run ?? 0, { onlyFailed: false })).toMatchObject([
    { clerkOrgId: 'org_b', outcome: 'cloned' },
  ]);
  const seeded = await seedTenants(database, { folder: fleet.project.tenants, seedFolder });
  expect(seeded.totals.changed).toBe(0);
  expect((await fleet.migrate()).totals).toMatchObject({ changed: 2, failed: 0 });

  // Of the schema only: what the migrations insert.
  await cloneIn(fleet, { schemaOnly: true }, 'org_c');
  expect(await query(`SELECT name FROM ${schemaNameFor('org_c')}.accounts`)).toEqual([
    { name: 'of the migration' },
  ]);
});

const PEOPLE = `CREATE TABLE teams (id int PRIMARY KEY);
  CREATE TABLE people (id int PRIMARY KEY, team int REFERENCES teams, email varchar(40) NOT NULL, handle text, phone text, token uuid,
    born date, notes jsonb, kept text, shouted text GENERATED ALWAYS AS (upper(email)) STORED);
  CREATE UNIQUE INDEX people_email ON people (lower(email));
  CREATE TABLE visits (day date, who text, PRIMARY KEY (day)) PARTITION BY RANGE (day);
  CREATE TABLE visits_2026 PARTITION OF visits FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')`;

const RULES: Mask[string] = {
  id: 'keep',
  team: 'keep',
  email: { fake: 'user-{letters:2}{digits:1}@example.com' },
  handle: { hash: 16 },
  phone: { fake: '+49 30 {digits:5}' },
  token: { hash: 32 },
  born: 'null',
  notes: { constant: { masked: true } },
  kept: 'keep',
};

async function people(): Promise<TestFleet> {
  const fleet = await createFleet([]);
  await fleet.add('3_people.sql', up(PEOPLE));
  await fleet.provision('org_a');
  await fleet.query(
    `SET search_path TO ${A}; INSERT INTO teams VALUES (1);
     INSERT INTO people (id, team, email, handle, phone, token, born, notes, kept)
     SELECT n, 1, 'Real' || n || '@secret.org', CASE WHEN n % 2 = 0 THEN 'secret ' || n % 4 END, 'secret', md5(n::text)::uuid, '2000-01-01', '"secret"', 'kept ' || n
     FROM generate_series(1, 500) n;
     INSERT INTO visits VALUES ('2026-05-05', 'secret visitor')`,
  );
  return fleet;
}

test('what a mask names is not in the clone: the same rows and key give the same values, and unique ones stay unique', async () => {
  const fleet = await people();
  const { query } = fleet;
  const mask = { people: RULES, visits: { day: 'keep', who: { constant: 'somebody' } } } as const;
  await cloneIn(fleet, { mask, maskKey: KEY });
  const rows = await query<{ id: number } & Record<string, unknown>>(`SELECT * FROM ${B}.people ORDER BY id`);
  expect(rows).toHaveLength(500);
  expect(JSON.stringify([rows, await query(`SELECT * FROM ${B}.visits`)])).not.toMatch(/secret/i);
  expect(new Set(rows.map(({ email }) => email)).size).toBe(500);
  expect(new Set(rows.map(({ token }) => token)).size).toBe(500);
  expect(rows[0]).toEqual({
    id: 1,
    team: 1,
    email: expect.stringMatching(/^user-[a-z]{2}\d@example\.com$/),
    handle: null,
    phone: expect.stringMatching(/^\+49 30 \d{5}$/),
    token: expect.stringMatching(/^[0-9a-f-]{36}$/),
    born: null,
    notes: { masked: true },
    kept: 'kept 1',
    shouted: String(rows[0]?.email).toUpperCase(),
  });
  expect(new Set(rows.map(({ handle }) => handle)).size).toBe(3);
  await cloneIn(fleet, { mask, maskKey: KEY }, 'org_c');
  expect(await query(`SELECT * FROM ${schemaNameFor('org_c')}.people ORDER BY id`)).toEqual(rows);
  await cloneIn(fleet, { mask, maskKey: `${KEY}!` }, 'org_d');
  const others = await query(`SELECT * FROM ${schemaNameFor('org_d')}.people ORDER BY id`);
  expect(others[1]?.handle).not.toBe(rows[1]?.handle);
  // The key is stored nowhere.
  expect(JSON.stringify(await query('SELECT r::text FROM tenantctl.runs r'))).not.toContain(KEY);
});

test('equal values stay equal in all partitions of a table, different ones different, and columns of any type can be unique', async () => {
  const fleet = await createFleet([]);
  await fleet.add(
    '3_visits.sql',
    up(`CREATE TABLE visits (day int, who text) PARTITION BY RANGE (day);
        CREATE TABLE early PARTITION OF visits FOR VALUES FROM (1) TO (5);
        CREATE TABLE late PARTITION OF visits FOR VALUES FROM (5) TO (10);
        CREATE TABLE events (data json); CREATE UNIQUE INDEX ON events ((data->>'id'))`),
  );
  await fleet.provision('org_a');
  await fleet.query(
    `SET search_path TO ${A}; INSERT INTO visits SELECT n, 'secret ' || n % 6 FROM generate_series(1, 9) n;
     INSERT INTO events SELECT json_build_object('id', n) FROM generate_series(1, 3) n`,
  );
  const fake = { fake: '{digits:3}' };
  const mask = { visits: { day: 'keep', who: fake }, events: { data: 'null' } } as const;
  await cloneIn(fleet, { mask, maskKey: KEY });
  const rows = await fleet.query<{ day: number; who: string }>(`SELECT * FROM ${B}.visits ORDER BY day`);
  expect(new Set(rows.slice(0, 6).map(({ who }) => who)).size).toBe(6);
  expect(rows.slice(6).map(({ who }) => who)).toEqual(rows.slice(0, 3).map(({ who }) => who));
  const copied = cloneIn(
    fleet,
    { mask: { ...mask, events: { data: { fake: '"{digits:3}"' } } }, maskKey: KEY },
    'org_c',
  );
  // Strings have no id: the index holds any number of NULLs.
  await expect(copied).resolves.toMatchObject({ clerkOrgId: 'org_c' });
});

test('a mask that cannot be applied is refused before anything is changed, with each problem', async () => {
  const fleet = await people();
  const { token: _, ...rest } = RULES;
  const problemsOf = async (mask: unknown, more: Partial<CloneOptions> = {}) => {
    const error: unknown = await cloneIn(fleet, { mask: mask as Mask, maskKey: KEY, ...more }).catch(
      (e: unknown) => e,
    );
    expect(error).toMatchObject({ code: 'MASK_INVALID' });
    const { details, message } = error as { details?: string[]; message: string };
    return details ?? [message.replace('The mask cannot be used: ', '')];
  };
  expect(await problemsOf({ people: rest })).toEqual(['people.token has no rule.']);
  expect(
    await problemsOf({
      nowhere: {},
      knex_migrations_tenant: { name: { hash: 32 } },
      visits_2026: {},
      visits: { day: 'null', who: 'null' },
      people: {
        ...RULES,
        id: { hash: 32 },
        team: 'null',
        email: { fake: '{digits:2}@example.com' },
        handle: { fake: 'x{digits:1}' },
        token: { fake: 'user {digits:3}' },
        born: { constant: 'yesterday at noon' },
        shouted: { constant: 'x' },
        gone: 'keep',
      },
    }),
  ).toEqual([
    `nowhere is no table of ${A}; rules of a partition belong to its partitioned table.`,
    'knex_migrations_tenant cannot be masked: it is the history of the migrations.',
    `visits_2026 is no table of ${A}; rules of a partition belong to its partitioned table.`,
    'people has no column gone.',
    'visits.day cannot be masked: it is part of a partition key. Its rule can be "keep".',
    'people.id cannot be masked: it is part of a primary key. Its rule can be "keep".',
    'people.team cannot be masked: it is part of a foreign key. Its rule can be "keep".',
    'people.email is unique and has 500 values: the pattern makes 100 different ones.',
    'people.token has the type uuid: invalid input syntax for type uuid: "user 000".',
    'people.born has the type date: invalid input syntax for type date: "yesterday at noon".',
    'people.shouted is generated: mask the columns that it is made of.',
  ]);
  expect(
    await problemsOf({
      people: {
        ...RULES,
        email: 'null',
        handle: { fake: 'x{words:3}' },
        phone: { hash: 65 },
        token: { constant: null },
        born: 'nul',
        notes: { fake: 'none' },
      },
      teams: 1,
    }),
  ).toEqual([
    'people.handle: "{words:3}" is none of {digits:n}, {letters:n} and {hex:n}.',
    'people.phone: a hash has 1 to 64 digits.',
    'people.token: for NULL, the rule is "null".',
    'people.born: a rule is "keep", "null", { "constant": value }, { "hash": digits } or { "fake": "pattern" }.',
    'people.notes: a pattern without a placeholder is a constant: { "constant": value }.',
    'teams: its rules must be an object of columns.',
  ]);
  expect(await problemsOf({ people: { ...RULES, email: { hash: 41 } } })).toEqual([
    'people.email has the type character varying(40), which cannot hold 41 characters.',
  ]);
  expect(await problemsOf({ people: RULES }, { maskKey: 'short' })).toEqual([
    'Rules that hash or fake need a secret key of at least 16 characters.',
  ]);
  expect(await traces(fleet)).toEqual(NOTHING);
  await cloneIn(fleet, { mask: { people: rest }, maskRest: 'keep', maskKey: KEY });
  expect(await fleet.query(`SELECT FROM ${B}.people b JOIN ${A}.people a USING (token)`)).toHaveLength(500);
});

test('a clone that cannot be made leaves nothing, and says why', async () => {
  const fleet = await people();
  const { database, query } = fleet;
  const refused = (options: Partial<CloneOptions> = {}) =>
    cloneIn(fleet, { lockWaitMs: 0, retries: 0, ...options });
  const folder = fleet.project.tenants;

  await expect(cloneTenant(database, 'org_x', 'org_b', { folder })).rejects.toMatchObject({
    code: 'TENANT_UNKNOWN',
  });
  for (const attempt of [planClone, cloneTenant])
    await expect(attempt(database, 'org_a', 'org_a', { folder })).rejects.toMatchObject({
      code: 'TENANT_EXISTS',
    });
  await expect(cloneTenant(database, 'org_a', ' ', { folder })).rejects.toMatchObject({
    code: 'ORGANIZATION_ID_INVALID',
  });
  expect(await query(`SELECT FROM tenantctl.runs WHERE command = 'tenant clone'`)).toEqual([]);
  const lock = await holdLock(fleet.testDatabase, `tenant:${A}`);
  await expect(refused()).rejects.toMatchObject({
    code: 'LOCK_TIMEOUT',
    tenant: 'org_a',
    message: expect.stringContaining('at work on "org_a"'),
  });
  await lock.release();
  expect(await traces(fleet)).toEqual(NOTHING);

  await query(`CREATE TABLE ${A}.by_hand (id int); INSERT INTO ${A}.by_hand VALUES (1)`);
  await expect(refused()).rejects.toMatchObject({
    code: 'SHAPE_DIFFERS',
    details: ['table by_hand: only in the tenant', 'column by_hand.id: only in the tenant'],
  });
  expect(await traces(fleet)).toEqual(NOTHING);
  await query(`ALTER TABLE ${A}.people ADD COLUMN by_hand int DEFAULT 1`);
  const { differences } = await refused({ allowDrift: true });
  expect(await query(`SELECT FROM ${B}.people`)).toHaveLength(500);
  expect(differences.map(({ name }) => name)).toEqual(['by_hand', 'by_hand.id', 'people.by_hand']);
  expect(await query(`SELECT to_regclass('${B}.by_hand') AS t`)).toEqual([{ t: null }]);

  await query(`UPDATE tenants SET status = 'FAILED' WHERE clerk_org_id = 'org_a'`);
  await expect(refused()).rejects.toMatchObject({ code: 'TENANT_NOT_ACTIVE' });
});

test('a clone that was killed is unfinished for all others, and is made anew by the same call', async () => {
  const fleet = await people();
  const { database, query } = fleet;
  await suspendTenant(database, 'org_a');
  // As a kill between building and copying leaves it.
  await query(
    `INSERT INTO tenants (clerk_org_id, schema_name, status) VALUES ('org_b', '${B}', 'PROVISIONING');
     INSERT INTO tenantctl.tenants (clerk_org_id, schema_name) VALUES ('org_b', '${B}');
     INSERT INTO tenantctl.verb_intents (tenant, verb) SELECT id, 'clone' FROM tenantctl.tenants WHERE clerk_org_id = 'org_b';
     CREATE SCHEMA ${B}; CREATE TABLE ${B}.half ()`,
  );
  const [provisioned] = await fleet.provision('org_b');
  expect(provisioned?.error).toMatchObject({ code: 'TENANT_UNFINISHED' });
  await expect(cloneIn(fleet, {}, 'org_b')).resolves.toMatchObject({ rows: 500 + 1 + 1 + 3 });
  expect(await fleet.tables('org_b')).toEqual(await fleet.tables('org_a'));
  expect(await query('SELECT FROM tenantctl.verb_intents')).toEqual([]);
  expect(await planClone(database, 'org_a', 'org_c', { folder: fleet.project.tenants })).toMatchObject({
    source: { clerkOrgId: 'org_a' },
    tables: ['knex_migrations_tenant', 'notes', 'teams', 'people', 'tags', 'visits_2026'],
    migrations: ['20250101000001_notes.sql', '20250101000002_tags.sql', '3_people.sql'],
  });
});
