import { randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { Client } from 'pg';
import { expect, inject, onTestFinished, test } from 'vitest';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { readShapes } from '../../../src/core/shape/read-shapes.ts';
import { archiveTenants } from '../../../src/core/tenant/archive.ts';
import { backupTenants } from '../../../src/core/tenant/backup.ts';
import { cloneTenant } from '../../../src/core/tenant/clone.ts';
import { dropTenants } from '../../../src/core/tenant/drop.ts';
import { provisionTenant } from '../../../src/core/tenant/provision.ts';
import { renameTenant } from '../../../src/core/tenant/rename.ts';
import { restoreTenant, restoreTenantFrom } from '../../../src/core/tenant/restore.ts';
import { unarchiveTenants } from '../../../src/core/tenant/unarchive.ts';
import type { Database } from '../../../src/db/database.ts';
import { identifier } from '../../../src/db/sql.ts';
import { createDatabase } from '../../support/database.ts';
import { findDumpPrograms } from '../../support/dump-programs.ts';
import { fleetTemplate } from '../../support/fleet-template.ts';
import { statementsOf } from '../../support/plain-dump.ts';
import { createProject, USUAL_FILES, type TestProject } from '../../support/project.ts';
import { randomTenant, type RandomTenant } from '../../support/random-schema.ts';
import { pictureOf } from '../../support/tenant-picture.ts';

/** TEST_LIFE_CASES=200 tries that many tenants; the seed is FAST_CHECK_SEED's. */
const CASES = Number(process.env.TEST_LIFE_CASES ?? 5);

/** Most of it is left for the search for a smaller case after a failure. */
const TIMEOUT_MS = 60_000 + CASES * 10_000;

const MASTER = 'migrations/master/20250101000000_init_db.sql';
const FILES = { [MASTER]: USUAL_FILES[MASTER] ?? '' };

interface Place {
  readonly url: string;
  readonly database: Database;
  /** The roles of tenants, if each has one. */
  readonly tenantRole: string | undefined;
  readonly client: Client;
  readonly project: TestProject;
}

/** Does work with a database that has the registry, and a project with these migrations. */
async function inPlace(
  { migrations }: RandomTenant,
  work: (place: Place) => Promise<void>,
  hasRoles = false,
): Promise<void> {
  const tenantRole = hasRoles ? `life_${randomBytes(4).toString('hex')}_{schema}` : undefined;
  if (tenantRole !== undefined) dropRolesLater(tenantRole.replace('{schema}', ''));
  const empty = await createProject(FILES);
  const testDatabase = await createDatabase((server) => fleetTemplate(server, [], empty));
  const files = migrations.map((statements, at) => [
    `migrations/tenants/2025010100000${at}_part.sql`,
    `-- migrate:up\n${statements.join(';\n')};\n`,
  ]);
  const project = await createProject({ ...FILES, ...Object.fromEntries(files) });
  const client = new Client({ connectionString: testDatabase.url });
  const database = await testDatabase.open(6);
  await client.connect();
  try {
    await work({ url: testDatabase.url, database, client, project, tenantRole });
  } finally {
    await client.end();
    await database.close();
  }
}

/** After the database in which they own something. */
function dropRolesLater(prefix: string): void {
  onTestFinished(async () => {
    const server = new Client({ connectionString: inject('serverUrl') });
    await server.connect();
    const { rows } = await server.query<{ name: string }>(
      `SELECT quote_ident(rolname) AS name FROM pg_roles WHERE starts_with(rolname, $1)`,
      [prefix],
    );
    for (const { name } of rows) await server.query(`DROP ROLE ${name}`);
    await server.end();
  });
}

/** Provisions a tenant, and writes rows as an application does. @returns how many statements PostgreSQL refused */
async function populate(
  { database, client, project, tenantRole }: Place,
  org: string,
  { rows }: RandomTenant,
): Promise<number> {
  await provisionTenant(database, org, { folder: project.tenants, tenantRole });
  await client.query(`SET search_path TO ${schemaNameFor(org)}, public`);
  let refused = 0;
  for (const statement of rows) await client.query(statement).catch(() => (refused += 1));
  await client.query('RESET search_path');
  return refused;
}

/** Takes a tenant through a verb. @returns the organization that has its tables then */
type Way = (place: Place, org: string, next: string) => Promise<string>;

const WAYS: Readonly<Record<string, Way>> = {
  async 'backup and restore'({ database, project, tenantRole }, org, next) {
    const file = await backedUp(database, org);
    await restoreTenant(database, file, { as: next, folder: project.tenants, tenantRole });
    return next;
  },
  async 'restore --replace'({ database, client, project, tenantRole }, org) {
    const file = await backedUp(database, org);
    const { rows } = await client.query<{ name: string }>(
      'SELECT quote_ident(schema_name) AS name FROM tenants WHERE clerk_org_id = $1',
      [org],
    );
    await client.query(`INSERT INTO ${rows[0]?.name}.log VALUES ('after', 'the backup')`);
    await restoreTenant(database, file, { replace: true, folder: project.tenants, tenantRole });
    return org;
  },
  async 'restore --from'({ database, project, tenantRole }, org, next) {
    await restoreTenantFrom(database, database, org, { as: next, folder: project.tenants, tenantRole });
    return next;
  },
  async 'drop and restore'({ database, project, tenantRole }, org) {
    const { folder } = await createProject();
    const [dropped] = (await dropTenants(database, [org], { backupFolder: folder, tenantRole })).tenants;
    if (dropped?.error !== undefined) throw dropped.error;
    await restoreTenant(database, dropped?.backupFile ?? '', { folder: project.tenants, tenantRole });
    return org;
  },
  async clone({ database, project, tenantRole }, org, next) {
    await cloneTenant(database, org, next, { folder: project.tenants, tenantRole });
    return next;
  },
  async 'archive and unarchive'({ database, project, tenantRole }, org) {
    const { folder } = await createProject();
    const archived = await archiveTenants(database, [org], { backupFolder: folder, tenantRole });
    const { tenants } = await unarchiveTenants(database, [org], { folder: project.tenants, tenantRole });
    for (const { error } of [...archived.tenants, ...tenants]) if (error !== undefined) throw error;
    return org;
  },
  async rename({ database }, org, next) {
    await renameTenant(database, org, next);
    return next;
  },
  async 'rename --with-schema'({ database }, org, next) {
    await renameTenant(database, org, next, { withSchema: true });
    return next;
  },
};

/** @returns the file of a tenant's backup */
async function backedUp(database: Database, org: string): Promise<string> {
  const { folder } = await createProject();
  const { tenants } = await backupTenants(database, { tenants: [org], directory: folder });
  return tenants[0]?.file ?? '';
}

/** Its schema, as the registry has it. */
async function schemaOf({ client }: Place, org: string): Promise<string> {
  const { rows } = await client.query<{ name: string }>(
    'SELECT schema_name AS name FROM tenants WHERE clerk_org_id = $1',
    [org],
  );
  return rows[0]?.name ?? '';
}

test(
  'a tenant has the same objects, rows and sequences after every verb, in every order',
  async () => {
    const ways = fc.shuffledSubarray(Object.keys(WAYS), { minLength: 2, maxLength: 4 });
    // A second opinion, where there is one for this server.
    const programs = await findDumpPrograms(inject('serverVersion'));
    await fc.assert(
      fc.asyncProperty(randomTenant, ways, fc.boolean(), (tenant, chosen, hasRoles) =>
        inPlace(
          tenant,
          async (place) => {
            await populate(place, 'origin', tenant);
            const seen = async (org: string) => {
              const schema = await schemaOf(place, org);
              const lines = await pictureOf(place.client, schema);
              const dump =
                typeof programs === 'string'
                  ? []
                  : statementsOf(await programs.dumpSchema(place, schema), schema);
              for await (const { digest } of readShapes(place.database, [schema]))
                return { lines, digest, dump };
              throw new Error(`${schema} has no shape`);
            };
            const before = await seen('origin');
            let org = 'origin';
            for (const [nth, way] of chosen.entries()) {
              org = await (WAYS[way] as Way)(place, org, `after_${nth}`);
              expect({ way, ...(await seen(org)) }).toEqual({ way, ...before });
            }
          },
          hasRoles,
        ),
      ),
      { numRuns: CASES, interruptAfterTimeLimit: TIMEOUT_MS * 0.8 },
    );
  },
  TIMEOUT_MS,
);

test(
  'the picture of a tenant is the same for a twin that was made likewise, and another if a row or an object differs',
  async () => {
    let [statements, refused] = [0, 0];
    await fc.assert(
      fc.asyncProperty(randomTenant, (tenant) =>
        inPlace(tenant, async (place) => {
          refused += await populate(place, 'origin', tenant);
          statements += tenant.rows.length;
          await populate(place, 'twin', tenant);
          const picture = await pictureOf(place.client, schemaNameFor('origin'));
          expect(await pictureOf(place.client, schemaNameFor('twin'))).toEqual(picture);
          await place.client.query(`INSERT INTO ${schemaNameFor('twin')}.log VALUES ('', NULL)`);
          expect(await pictureOf(place.client, schemaNameFor('twin'))).not.toEqual(picture);
        }),
      ),
      { numRuns: CASES, interruptAfterTimeLimit: TIMEOUT_MS * 0.8 },
    );
    // Most of what is generated is accepted: else the rows would be few.
    expect(refused).toBeLessThan(statements / 4);
  },
  TIMEOUT_MS,
);

test(
  'a masked column of a clone changes as its rule says, and nothing else changes',
  async () => {
    await fc.assert(
      fc.asyncProperty(randomTenant, (tenant) =>
        inPlace(tenant, async (place) => {
          await populate(place, 'origin', tenant);
          const { database, client, project } = place;
          const { rows: tables } = await client.query<{ name: string }>(
            `SELECT c.relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'note'
             WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition`,
            [schemaNameFor('origin')],
          );
          const mask = Object.fromEntries(tables.map(({ name }) => [name, { note: { hash: 12 } }]));
          await cloneTenant(database, 'origin', 'masked', {
            folder: project.tenants,
            mask,
            maskRest: 'keep',
            maskKey: 'a secret of the tests',
          });
          // What is made of the note changes with it.
          const isKept = (line: string) => !line.startsWith('row of ');
          const [before, after] = [
            await pictureOf(client, schemaNameFor('origin')),
            await pictureOf(client, schemaNameFor('masked')),
          ];
          expect(after.filter(isKept)).toEqual(before.filter(isKept));
          for (const { name } of tables) {
            const rowsOf = async (org: string) => {
              const { rows } = await client.query<{ rest: string; note: string | null; is_alike: boolean }>(
                `SELECT (to_jsonb(t) - 'note' - 'shouted')::text AS rest, note,
                        coalesce(to_jsonb(t)->>'shouted' = upper(note), true) AS is_alike
                 FROM ${identifier(schemaNameFor(org))}.${identifier(name)} t ORDER BY 1`,
              );
              return rows.map((row) => ({ ...row, rest: row.rest.replaceAll(schemaNameFor(org), 'TENANT') }));
            };
            const [kept, masked] = [await rowsOf('origin'), await rowsOf('masked')];
            expect(masked.map(({ rest }) => rest)).toEqual(kept.map(({ rest }) => rest));
            expect(masked.filter(({ note }) => note === null)).toHaveLength(
              kept.filter(({ note }) => note === null).length,
            );
            const wrong = masked.filter(
              ({ note, is_alike: isAlike }) => !isAlike || !/^[0-9a-f]{12}$/.test(note ?? '0'.repeat(12)),
            );
            expect(wrong).toEqual([]);
          }
        }),
      ),
      { numRuns: Math.ceil(CASES / 2), interruptAfterTimeLimit: TIMEOUT_MS * 0.8 },
    );
  },
  TIMEOUT_MS,
);
