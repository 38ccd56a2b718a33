import * as fc from 'fast-check';
import { Client } from 'pg';
import { expect, test } from 'vitest';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { readShapes } from '../../../src/core/shape/read-shapes.ts';
import { archiveTenants } from '../../../src/core/tenant/archive.ts';
import { backupTenants } from '../../../src/core/tenant/backup.ts';
import { cloneTenant } from '../../../src/core/tenant/clone.ts';
import { provisionTenant } from '../../../src/core/tenant/provision.ts';
import { renameTenant } from '../../../src/core/tenant/rename.ts';
import { restoreTenant } from '../../../src/core/tenant/restore.ts';
import { unarchiveTenants } from '../../../src/core/tenant/unarchive.ts';
import type { Database } from '../../../src/db/database.ts';
import { createDatabase } from '../../support/database.ts';
import { fleetTemplate } from '../../support/fleet-template.ts';
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
  readonly database: Database;
  readonly client: Client;
  readonly project: TestProject;
}

/** Does work with a database that has the registry, and a project with these migrations. */
async function inPlace({ migrations }: RandomTenant, work: (place: Place) => Promise<void>): Promise<void> {
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
    await work({ database, client, project });
  } finally {
    await client.end();
    await database.close();
  }
}

/** Provisions a tenant, and writes rows as an application does. @returns how many statements PostgreSQL refused */
async function populate(
  { database, client, project }: Place,
  org: string,
  { rows }: RandomTenant,
): Promise<number> {
  await provisionTenant(database, org, { folder: project.tenants });
  await client.query(`SET search_path TO ${schemaNameFor(org)}, public`);
  let refused = 0;
  for (const statement of rows) await client.query(statement).catch(() => (refused += 1));
  await client.query('RESET search_path');
  return refused;
}

/** Takes a tenant through a verb. @returns the organization that has its tables then */
type Way = (place: Place, org: string, next: string) => Promise<string>;

const WAYS: Readonly<Record<string, Way>> = {
  async 'backup and restore'({ database, project }, org, next) {
    const { folder } = await createProject();
    const { tenants } = await backupTenants(database, { tenants: [org], directory: folder });
    await restoreTenant(database, tenants[0]?.file ?? '', { as: next, folder: project.tenants });
    return next;
  },
  async clone({ database, project }, org, next) {
    await cloneTenant(database, org, next, { folder: project.tenants });
    return next;
  },
  async 'archive and unarchive'({ database, project }, org) {
    const { folder } = await createProject();
    const archived = await archiveTenants(database, [org], { backupFolder: folder });
    const { tenants } = await unarchiveTenants(database, [org], { folder: project.tenants });
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
    const ways = fc.shuffledSubarray(Object.keys(WAYS), { minLength: 2 });
    await fc.assert(
      fc.asyncProperty(randomTenant, ways, (tenant, chosen) =>
        inPlace(tenant, async (place) => {
          await populate(place, 'origin', tenant);
          const seen = async (org: string) => {
            const schema = await schemaOf(place, org);
            const lines = await pictureOf(place.client, schema);
            for await (const { digest } of readShapes(place.database, [schema])) return { lines, digest };
            throw new Error(`${schema} has no shape`);
          };
          const before = await seen('origin');
          let org = 'origin';
          for (const [nth, way] of chosen.entries()) {
            org = await (WAYS[way] as Way)(place, org, `after_${nth}`);
            expect({ way, ...(await seen(org)) }).toEqual({ way, ...before });
          }
        }),
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
