import { adoptTenants } from '../../../src/core/tenant/adopt.ts';
import { describe, expect, it } from 'vitest';
import { migrateMaster } from '../../../src/core/commands/migrate-master.ts';
import { migrateTenants } from '../../../src/core/commands/migrate-tenants.ts';
import { provisionTenants } from '../../../src/core/tenant/provision.ts';
import { resolveInterrupted } from '../../../src/core/commands/resolve.ts';
import { suspendTenant } from '../../../src/core/tenant/suspend.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { withTransaction } from '../../../src/db/transaction.ts';
import { createDatabase, type TestServerDatabase } from '../../support/database.ts';
import { knexMigration, usualProject, type TestProject } from '../../support/project.ts';
import { examine, failures, line, remedyOf, statementIn } from './examine.ts';
import type { Database } from '../../../src/db/database.ts';
import { intentOf } from '../../support/remember.ts';
import { tryLock } from '../../../src/db/advisory-lock.ts';

const ORG = "o'rg 1";
const SCHEMA = schemaNameFor(ORG);

interface Fleet {
  readonly project: TestProject;
  readonly database: TestServerDatabase;
  readonly open: Database;
  /** @returns the outcome for each organization id */
  readonly provision: (...ids: string[]) => Promise<string[]>;
}

/** A migrated database with one tenant. */
async function fleetOfOne(): Promise<Fleet> {
  const database = await createDatabase();
  const project = await usualProject();
  const open = await database.open();
  await migrateMaster(open, { folder: project.master });
  const provision = async (...ids: string[]) => {
    const results = await provisionTenants(open, ids, { folder: project.tenants, vectorExtension: 'off' });
    return results.map(({ outcome }) => outcome);
  };
  await provision(ORG);
  return { project, database, open, provision };
}

describe('schemas and rows', () => {
  it('a schema without a row: dropped, or adopted', async () => {
    const { project, database, open } = await fleetOfOne();
    const [first, second] = [schemaNameFor('lost'), schemaNameFor('unwanted')];
    await database.query(`CREATE SCHEMA ${first}`);
    const one = line(await examine(project, database.settings), 'orphan-schemas');
    expect(one).toMatchObject({ status: 'failed', code: 'SCHEMA_UNREGISTERED' });
    expect(one.detail).toContain(first);
    expect(remedyOf(one)).toContain(`tenantctl tenant adopt '${first}=<organization id>'`);
    await adoptTenants(open, [{ schema: first, clerkOrgId: 'lost' }]);
    await migrateTenants(open, { folder: project.tenants });
    expect(failures(await examine(project, database.settings))).toEqual([]);

    await database.query(`CREATE SCHEMA ${second}`);
    const two = line(await examine(project, database.settings), 'orphan-schemas');
    await database.query(statementIn(two, 'DROP SCHEMA'));
    expect(failures(await examine(project, database.settings))).toEqual([]);
  });

  it('passes over schemas of other names', async () => {
    const { project, database } = await fleetOfOne();
    await database.query('CREATE SCHEMA tid_notahash; CREATE SCHEMA other');
    expect(failures(await examine(project, database.settings))).toEqual([]);
  });

  it('an ACTIVE row without a schema: begun anew, or suspended', async () => {
    const { project, database, provision } = await fleetOfOne();
    await database.query(`DROP SCHEMA ${SCHEMA} CASCADE`);
    const check = line(await examine(project, database.settings), 'missing-schemas');
    expect(check).toMatchObject({ status: 'failed', code: 'SCHEMA_MISSING' });
    expect(remedyOf(check)).toContain(`tenantctl tenant provision 'o'\\''rg 1'`);
    expect(remedyOf(check)).toContain('tenantctl tenant drop ');
    await database.query(`UPDATE tenants SET status = 'FAILED'`);
    expect(await provision(ORG)).toEqual(['provisioned']);
    expect(failures(await examine(project, database.settings))).toEqual([]);

    await database.query(`DROP SCHEMA ${SCHEMA} CASCADE`);
    expect(remedyOf(check)).toContain(`tenantctl tenant suspend 'o'\\''rg 1'`);
    await suspendTenant(await database.open(), ORG);
    expect(failures(await examine(project, database.settings))).toEqual([]);
  });

  it('a tenant whose provisioning failed is named with its reason and the command', async () => {
    const { project, database, provision } = await fleetOfOne();
    await project.write('migrations/tenants/20250101000003_bad.sql', '-- migrate:up\nSELECT 1/0;\n');
    expect(await provision('-org')).toEqual(['failed']);
    const check = line(await examine(project, database.settings), 'unfinished-tenants');
    expect(check).toMatchObject({ status: 'warning', remedy: 'tenantctl tenant provision -- -org' });
    expect(check.detail).toContain('-org (FAILED: division by zero');
  });
});

describe('histories', () => {
  it('that failed in the last run are a warning, with the reason', async () => {
    const { project, database, open } = await fleetOfOne();
    await project.write('migrations/tenants/20250101000003_bad.sql', '-- migrate:up\nSELECT 1/0;\n');
    await migrateTenants(open, { folder: project.tenants, vectorExtension: 'off' });
    const check = line(await examine(project, database.settings), 'tenant-histories');
    expect(check).toMatchObject({ status: 'warning', remedy: 'tenantctl migrate tenants' });
    expect(check.detail).toBe(`failed in the last run: ${ORG} (division by zero)`);
  });

  it('that disagree with the folder are a failed line', async () => {
    const { project, database } = await fleetOfOne();
    await project.remove('migrations/tenants/20250101000001_notes.sql');
    const check = line(await examine(project, database.settings), 'tenant-histories');
    expect(check).toMatchObject({ status: 'failed', code: 'MIGRATION_FILE_MISSING' });
    expect(check.detail).toContain('20250101000001_notes');
  });

  it('recorded under another extension: renamed by the remedy, in master and in every tenant', async () => {
    const { project, database } = await fleetOfOne();
    await project.remove('migrations/tenants/20250101000002_tags.sql');
    await project.write('migrations/tenants/20250101000002_tags.js', knexMigration(''));
    await database.query(`UPDATE public.knex_migrations_master SET name = '20250101000000_init_db.js'`);
    const before = await examine(project, database.settings);
    const check = line(before, 'knex-names');
    expect(check.status).toBe('warning');
    expect(check.detail).toContain('20250101000002_tags.sql is 20250101000002_tags.js now');
    await database.query(remedyOf(check));
    const after = await examine(project, database.settings);
    expect(line(after, 'knex-names').status).toBe('ok');
    expect(failures(after)).toEqual([]);
  });

  it('of a registry that another tool made: the remedy records its first migration', async () => {
    const { project, database, open } = await fleetOfOne();
    await database.query('DROP TABLE public.knex_migrations_master, public.knex_migrations_master_lock');
    const before = await examine(project, database.settings);
    await database.query(remedyOf(line(before, 'master-history')));
    const after = await examine(project, database.settings);
    expect(line(after, 'master-history').status).toBe('ok');
    await expect(migrateMaster(open, { folder: project.master })).resolves.toMatchObject({ names: [] });
  });
});

describe('what a crash left', () => {
  it("Knex's own locks are freed by the remedy", async () => {
    const { project, database } = await fleetOfOne();
    await database.query(
      `UPDATE ${SCHEMA}.knex_migrations_tenant_lock SET is_locked = 1; UPDATE public.knex_migrations_master_lock SET is_locked = 1`,
    );
    const check = line(await examine(project, database.settings), 'knex-locks');
    expect(check).toMatchObject({ status: 'failed', code: 'KNEX_LOCKED' });
    await database.query(remedyOf(check));
    expect(failures(await examine(project, database.settings))).toEqual([]);
  });

  it('an intent: the command that it names leads to a history that is right', async () => {
    const { project, database, open } = await fleetOfOne();
    const history = `${SCHEMA}.knex_migrations_tenant`;
    await database.query(`DELETE FROM ${history} WHERE name LIKE '%tags%'`);
    await database.query(intentOf(SCHEMA, '20250101000002_tags.sql'));
    const check = line(await examine(project, database.settings), 'intents');
    expect(check).toMatchObject({ status: 'failed', code: 'MIGRATION_INTERRUPTED' });
    expect(check.remedy).toContain(`tenantctl resolve ${SCHEMA} --applied`);
    await resolveInterrupted(open, { tenant: SCHEMA, answer: 'applied' });
    const after = await examine(project, database.settings);
    expect(failures(after)).toEqual([]);
    expect(line(after, 'tenant-histories').status).toBe('ok');
  });

  it('an intent whose run is still at work is none', async () => {
    const { project, database, open } = await fleetOfOne();
    await database.query(intentOf(SCHEMA, 'slow.ts'));
    const lock = `SELECT ${tryLock(`tenant:${SCHEMA}`)} AS locked`;
    await withTransaction(open, {}, [lock], async () => {
      expect(line(await examine(project, database.settings), 'intents')).toMatchObject({
        status: 'ok',
        detail: 'none; 1 migration under way',
      });
    });
    expect(line(await examine(project, database.settings), 'intents').status).toBe('failed');
  });
});

describe('the registry', () => {
  it('that lacks columns or uniqueness gets them by the remedy', async () => {
    const { project, database } = await fleetOfOne();
    await database.query(
      'ALTER TABLE public.tenants DROP COLUMN schema_name; ALTER TABLE public.tenants DROP COLUMN status',
    );
    const before = await examine(project, database.settings);
    expect(line(before, 'registry')).toMatchObject({ status: 'failed', code: 'REGISTRY_INVALID' });
    await database.query(remedyOf(line(before, 'registry')));
    const after = await examine(project, database.settings);
    expect(failures(after)).toEqual([]);
    expect(line(after, 'registry').status).toBe('ok');
    await database.query('ALTER TABLE public.tenants DROP CONSTRAINT tenants_clerk_org_id_key');
    const loose = line(await examine(project, database.settings), 'registry');
    expect(loose.status).toBe('warning');
    await database.query(remedyOf(loose));
    expect(line(await examine(project, database.settings), 'registry').status).toBe('ok');
  });

  it('that was lost is made anew, and the schemas that it knew are then named', async () => {
    const { project, database, open } = await fleetOfOne();
    await database.query('DROP TABLE public.tenants');
    const check = line(await examine(project, database.settings), 'registry');
    expect(check).toMatchObject({ status: 'failed', code: 'REGISTRY_ABSENT' });
    await database.query(statementIn(check, 'DELETE FROM'));
    await migrateMaster(open, { folder: project.master, allowOutOfOrder: true });
    const after = await examine(project, database.settings);
    expect(line(after, 'registry').status).toBe('ok');
    expect(line(after, 'orphan-schemas').detail).toContain(SCHEMA);
  });

  it('that another tool keeps needs no master folder', async () => {
    const { project, database } = await fleetOfOne();
    await database.query('DROP TABLE public.knex_migrations_master, public.knex_migrations_master_lock');
    const diagnosis = await examine(project, database.settings, {
      folders: { master: `${project.folder}/none`, tenants: project.tenants },
    });
    expect(failures(diagnosis)).toEqual([]);
  });
});
