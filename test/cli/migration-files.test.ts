import { describe, expect, test } from 'vitest';
import { tenantctl } from '../support/cli.ts';
import { createFleet } from '../support/fleet.ts';
import { createTable } from '../support/project.ts';

const BROKEN = '20250101000003_broken';

describe('an invalid tenant migration stops the run before any change', () => {
  test.for([
    {
      what: 'a file with no up',
      files: { [`${BROKEN}.js`]: 'export function down() {}' },
      says: [`✖ ${BROKEN}.js exports no function "up".`, '→ A migration exports two functions, up and down'],
    },
    {
      what: 'a syntax error',
      files: { [`${BROKEN}.js`]: 'export function up( {' },
      says: [`✖ ${BROKEN}.js cannot be loaded`, `→ Correct ${BROKEN}.js and run the command again`],
    },
    {
      what: 'a syntax error in TypeScript',
      files: { [`${BROKEN}.ts`]: 'export async function up(knex: Knex {}' },
      says: [`✖ ${BROKEN}.ts cannot be loaded`, `→ Correct ${BROKEN}.ts and run the command again`],
    },
    {
      what: 'an import that throws',
      files: { [`${BROKEN}.js`]: "throw new Error('boom');\nexport function up() {}" },
      says: [`✖ ${BROKEN}.js cannot be loaded: boom`, `at         ${BROKEN}.js:1:7`],
    },
    {
      what: 'an import of what is not installed',
      files: { [`${BROKEN}.js`]: "import 'no-such-package';\nexport function up() {}" },
      says: [
        `✖ ${BROKEN}.js cannot be loaded`,
        "'no-such-package'",
        '→ Install what it imports, or correct the path.',
      ],
    },
    {
      what: 'an SQL file without its heading',
      files: { [`${BROKEN}.sql`]: 'CREATE TABLE x ();' },
      says: [`✖ ${BROKEN}.sql`, '-- migrate:up'],
    },
    {
      what: 'two files with the same name',
      files: { [`${BROKEN}.js`]: 'export function up() {}', [`${BROKEN}.sql`]: createTable('x') },
      says: [
        `✖ ${BROKEN}.js and ${BROKEN}.sql in `,
        'are the same migration',
        '→ Delete one of the two files.',
      ],
    },
  ])('$what', async ({ files, says }) => {
    const fleet = await createFleet(['org_a']);
    await fleet.add('20250101000002_z_good.sql', createTable('good'));
    for (const [name, text] of Object.entries(files)) await fleet.add(name, text);

    const result = await tenantctl(['migrate', 'tenants'], {
      cwd: fleet.project.folder,
      env: fleet.testDatabase.env,
    });

    expect(result).toMatchObject({ exitCode: 1, stdout: '' });
    for (const text of says) expect(result.stderr).toContain(text);
    expect(await fleet.tables('org_a')).toEqual(['notes', 'tags']);
  });
});

describe('a folder that does not match the history', () => {
  test('a file that only the history has is named, with the way to restore it', async () => {
    const fleet = await createFleet(['org_a']);
    await fleet.project.remove('migrations/tenants/20250101000001_notes.sql');
    await fleet.add('20250101000003_links.sql', createTable('links'));

    const { exitCode, stdout } = await tenantctl(['migrate', 'tenants'], {
      cwd: fleet.project.folder,
      env: fleet.testDatabase.env,
    });

    expect(exitCode).toBe(1);
    expect(stdout).toContain('The history holds 20250101000001_notes, and');
    expect(stdout).toContain('→ Bring the file back from version control');
    expect(await fleet.tables('org_a')).not.toContain('links');
  });

  test('an older release stops at a newer history, and continues with the flag that the hint names', async () => {
    const fleet = await createFleet(['org_a']);
    await fleet.project.remove('migrations/tenants/20250101000002_tags.sql');
    const call = { cwd: fleet.project.folder, env: fleet.testDatabase.env };

    const stopped = await tenantctl(['migrate', 'tenants'], call);
    const flag = /--allow-[a-z-]+/.exec(stopped.stdout)?.[0] ?? '';
    const allowed = await tenantctl(['migrate', 'tenants', flag], call);

    expect(stopped.exitCode).toBe(1);
    expect(stopped.stdout).toContain('newer than every file');
    expect(flag).toBe('--allow-newer-history');
    expect(allowed.exitCode).toBe(0);
    expect(allowed.stderr).toMatch(/^! The history holds 20250101000002_tags, newer .* It was allowed/);
  });

  test('a branch that was merged late stops, and continues with the flag that the hint names', async () => {
    const fleet = await createFleet(['org_a']);
    await fleet.add('20250101000001_z_late.sql', createTable('late'));
    const call = { cwd: fleet.project.folder, env: fleet.testDatabase.env };

    const stopped = await tenantctl(['migrate', 'tenants'], call);
    const flag = /--allow-[a-z-]+/.exec(stopped.stdout)?.[0] ?? '';
    const before = await fleet.tables('org_a');
    const allowed = await tenantctl(['migrate', 'tenants', flag], call);

    expect(stopped.exitCode).toBe(1);
    expect(stopped.stdout).toContain('20250101000001_z_late.sql sorts before 20250101000002_tags.sql');
    expect(flag).toBe('--allow-out-of-order');
    expect(before).toEqual(['notes', 'tags']);
    expect(allowed.exitCode).toBe(0);
    expect(allowed.stderr).toMatch(/^! 20250101000001_z_late\.sql sorts before .* It was allowed/);
    expect(await fleet.tables('org_a')).toEqual(['late', 'notes', 'tags']);
  });

  test('pending master migrations stop migrate tenants, and both commands of the hint work', async () => {
    const fleet = await createFleet(['org_a']);
    await fleet.project.write('migrations/master/20250101000009_more.sql', createTable('more'));
    await fleet.add('20250101000003_links.sql', createTable('links'));
    const call = { cwd: fleet.project.folder, env: fleet.testDatabase.env };

    const refused = [
      await tenantctl(['migrate', 'tenants'], call),
      await tenantctl(['tenant', 'provision', 'org_b'], call),
    ];
    const before = await fleet.tables('org_a');
    const followed = await tenantctl(['migrate', 'all'], call);

    for (const { exitCode, stderr } of refused) {
      expect(exitCode).toBe(1);
      expect(stderr).toContain('✖ 1 master migration is pending');
      expect(stderr).toContain(
        '→ Run tenantctl migrate master first, or tenantctl migrate all, which does both.',
      );
    }
    expect(before).not.toContain('links');
    expect(await fleet.query('SELECT clerk_org_id FROM tenants')).toEqual([{ clerk_org_id: 'org_a' }]);
    expect(followed.exitCode).toBe(0);
    expect(await fleet.tables('org_a')).toContain('links');
  });

  test('--to takes a name with or without its extension, and suggests a similar name', async () => {
    const fleet = await createFleet(['org_a']);
    await fleet.add('20250101000003_links.sql', createTable('links'));
    await fleet.add('20250101000004_marks.sql', createTable('marks'));
    const call = { cwd: fleet.project.folder, env: fleet.testDatabase.env };

    const unknown = await tenantctl(['migrate', 'tenants', '--to', 'links'], call);
    const known = await tenantctl(['migrate', 'tenants', '--to', '20250101000003_links'], call);

    expect(unknown).toMatchObject({ exitCode: 1, stdout: '' });
    expect(unknown.stderr).toContain('→ Did you mean 20250101000003_links.sql?');
    expect(known.exitCode).toBe(0);
    expect(await fleet.tables('org_a')).toEqual(['links', 'notes', 'tags']);
  });
});

test('a promise that a migration does not await fails that migration, and the hint explains it', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add(
    '20250101000003_stray.js',
    `export async function up(knex) {
      Promise.reject(new Error('forgotten'));
      await knex.raw('SELECT pg_sleep(0.3)');
      await knex.raw('CREATE TABLE stray ()');
    }`,
  );

  const result = await tenantctl(['migrate', 'tenants', '--json'], {
    cwd: fleet.project.folder,
    env: fleet.testDatabase.env,
  });

  expect(result.exitCode).toBe(1);
  expect(result.json()).toMatchObject({
    ok: false,
    tenants: [
      {
        error: {
          message: 'forgotten',
          migration: '20250101000003_stray.js',
          hint: expect.stringContaining('await every query of a migration'),
        },
      },
    ],
  });
  expect(await fleet.tables('org_a')).not.toContain('stray');
});
