import { describe, expect, it } from 'vitest';
import { acceptEdits } from '../../../src/core/commands/accept-edits.ts';
import { createDatabase, createVectorDatabase } from '../../support/database.ts';
import { createFleet } from '../../support/fleet.ts';
import { createProject, createTable, knexMigration, usualProject } from '../../support/project.ts';
import { examine, failures, line, remedyOf } from './examine.ts';

describe('files', () => {
  it('that do not load are named, one line each', async () => {
    const database = await createDatabase();
    const project = await usualProject({
      'migrations/tenants/20250101000003_broken.js': 'export async function up( {',
      'migrations/tenants/20250101000004_empty.js': 'export const down = 1;',
    });
    const diagnosis = await examine(project, database.settings);
    expect(failures(diagnosis)).toEqual([
      expect.stringContaining(
        'tenant-file-20250101000003-broken-js: 20250101000003_broken.js cannot be loaded',
      ),
      expect.stringContaining(
        'tenant-file-20250101000004-empty-js: 20250101000004_empty.js exports no function',
      ),
    ]);
    expect(diagnosis.error?.code).toBe('DOCTOR_FAILED');
  });

  it('of the same name are a failed line', async () => {
    const database = await createDatabase();
    const project = await usualProject({
      'migrations/tenants/20250101000002_tags.js': knexMigration(''),
    });
    const check = line(await examine(project, database.settings), 'tenant-folder');
    expect(check).toMatchObject({ status: 'failed', code: 'MIGRATION_DUPLICATE' });
  });

  it('that were edited after they were applied are named until the edit is accepted', async () => {
    const fleet = await createFleet(['org_a']);
    const edited = async () =>
      line(await examine(fleet.project, fleet.testDatabase.settings), 'edited-files');
    expect(await edited()).toMatchObject({ status: 'ok' });
    await fleet.add('20250101000001_notes.sql', `${createTable('notes')}-- edited\n`);
    const check = await edited();
    expect(check).toMatchObject({
      status: 'warning',
      detail: '20250101000001_notes.sql was edited after being applied: the edit is not in the database',
    });
    expect(remedyOf(check)).toMatch(/tenantctl history accept 20250101000001_notes.sql$/);
    await acceptEdits(fleet.database, {
      names: ['20250101000001_notes.sql'],
      tenantFolder: fleet.project.tenants,
    });
    expect(await edited()).toMatchObject({ status: 'ok' });
  });

  it('are asked for where there is none that creates the registry', async () => {
    const database = await createDatabase();
    const project = await createProject({
      'migrations/master/20250101000000_other.sql': createTable('other'),
    });
    const check = line(await examine(project, database.settings), 'registry');
    expect(check).toMatchObject({
      status: 'failed',
      remedy: 'tenantctl init && tenantctl migrate master',
    });
  });
});

describe('pgvector', () => {
  it('that is needed and not in public is a failed line whose remedy moves it', async () => {
    const database = await createVectorDatabase();
    const project = await usualProject({
      'migrations/tenants/20250101000003_messages.sql': createTable('messages', 'embedding vector(3)'),
    });
    await database.query('CREATE SCHEMA elsewhere');
    await database.query('CREATE EXTENSION vector SCHEMA elsewhere');
    const before = await examine(project, database.settings, { vectorExtension: 'auto' });
    const check = line(before, 'vector-extension');
    expect(check.status).toBe('failed');
    expect(check.detail).toContain('20250101000003_messages.sql needs it');
    await database.query(remedyOf(check));
    const after = await examine(project, database.settings, { vectorExtension: 'auto' });
    expect(line(after, 'vector-extension').status).toBe('ok');
  });

  it('that is not installed yet is a warning whose remedy installs it', async () => {
    const database = await createVectorDatabase();
    const project = await usualProject();
    const before = await examine(project, database.settings, { vectorExtension: 'auto' });
    expect(line(before, 'vector-extension').status).toBe('warning');
    await database.query(remedyOf(line(before, 'vector-extension')));
    const after = await examine(project, database.settings, { vectorExtension: 'require' });
    expect(line(after, 'vector-extension').status).toBe('ok');
  });
});
