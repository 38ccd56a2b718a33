import { mkdir, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type createKnex from 'knex';
import { expect, test } from 'vitest';
import { migrateTenants } from '../../../src/core/commands/migrate-tenants.ts';
import { rollbackTenants } from '../../../src/core/commands/rollback-tenants.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { createDatabase } from '../../support/database.ts';
import { createFleet } from '../../support/fleet.ts';
import { createProject } from '../../support/project.ts';
import { contentsOf, contentsOfSchemas } from '../../support/tenant-content.ts';
import { watchWays } from '../../support/ways.ts';

/** Knex 0.x returns ids, later versions objects; 1.0 ignores useConstraint. */
const ITEMS = `exports.up = async (knex) => {
  await knex.schema.createTable('items', (table) => {
    table.increments('id');
    table.text('name').notNullable().defaultTo('none');
    table.enu('kind', ['a', 'b']);
    table.timestamps(true, true);
  });
  const [first] = await knex('items').insert({ name: 'first' }).returning('id');
  await knex('items').insert({ name: JSON.stringify(first), kind: 'b' });
  await knex.schema.alterTable('items', (table) => {
    table.string('name', 80).notNullable().alter();
    table.unique(['name', 'kind'], UNIQUE);
  });
  await knex.schema.createTable('parts', (table) => {
    table.bigIncrements('id').primary();
    table.integer('item').unsigned().references('items.id').onDelete('CASCADE').index();
  });
  await knex.transaction((nested) => nested('parts').insert({ item: 1 }));
};
exports.down = (knex) => knex.schema.dropTable('parts').dropTable('items');`;

const READS = `exports.up = async (knex) => {
  const isOwn = knex.client instanceof require('knex').Client;
  const rows = await knex('items').where('name', 'first').pluck('id');
  await knex.schema.createTable('seen', (table) => { table.boolean('own'); table.specificType('ids', 'int[]'); });
  await knex.batchInsert('seen', [{ own: isOwn, ids: rows }, { own: isOwn, ids: [] }], 1);
  await knex.transaction(async (nested) => {
    await nested.raw('update seen set own = ? where not own', [null]);
    await nested.rollback();
  }).catch(() => {});
};
exports.down = (knex) => knex.schema.dropTable('seen');`;

const OUTSIDE = `exports.up = async (knex) => {
  await knex.raw('CREATE INDEX CONCURRENTLY items_name ON items (name)');
  await knex.transaction((transaction) => transaction('parts').insert({ item: 2 }));
};
exports.down = (knex) => knex.raw('DROP INDEX CONCURRENTLY items_name');
exports.config = { transaction: false };`;

const NO_CONSTRAINT = `{ indexName: 'items_key', useConstraint: false }`;

const require = createRequire(import.meta.url);

const ORGANIZATIONS = ['org_a', 'org_b', 'org_c'];

test.each([
  ['0.21', require.resolve('knex-0.21/package.json'), `'items_key'`],
  ['0.95', require.resolve('knex-0.95/package.json'), `'items_key'`],
  ['1', require.resolve('knex-1/package.json'), NO_CONSTRAINT],
  ['2', require.resolve('knex-2/package.json'), NO_CONSTRAINT],
])(
  'migrations of a project with Knex %s run with it, and leave what it leaves itself',
  async (_, installed, unique) => {
    const project = await createProject({
      'package.json': '{}',
      'migrations/tenants/1_items.js': ITEMS.replace('UNIQUE', unique),
      'migrations/tenants/2_reads.js': READS,
      'migrations/tenants/3_outside.js': OUTSIDE,
    });
    await mkdir(join(project.folder, 'node_modules'));
    await symlink(dirname(installed), join(project.folder, 'node_modules/knex'));

    const byKnex = await createDatabase();
    const create = createRequire(join(project.folder, 'knexfile.js'))('knex') as typeof createKnex;
    for (const schemaName of ORGANIZATIONS.map(schemaNameFor)) {
      await byKnex.query(`CREATE SCHEMA ${schemaName}`);
      const knex = create({ client: 'pg', connection: byKnex.url, searchPath: [schemaName, 'public'] });
      await knex.migrate.latest({
        directory: project.tenants,
        tableName: 'knex_migrations_tenant',
        schemaName,
      });
      await knex.destroy();
    }

    const fleet = await createFleet(ORGANIZATIONS);
    await fleet.rollback({ extent: { all: true } });
    const ways = await watchWays(fleet);
    const before = await contentsOf(fleet, ORGANIZATIONS);
    const result = await migrateTenants(fleet.database, { folder: project.tenants });
    expect(result.tenants.map(({ error }) => error)).toEqual([undefined, undefined, undefined]);
    const own = (contents: string[][]) =>
      contents.map((lines) =>
        lines.filter((line) => !/tenantctl|watch\.| knex_migrations_tenant(?! \{)/.test(line)),
      );
    expect(own(await contentsOf(fleet, ORGANIZATIONS))).toEqual(
      own(await contentsOfSchemas(byKnex, ORGANIZATIONS.map(schemaNameFor))),
    );
    expect(await fleet.query(`SELECT own, ids FROM ${schemaNameFor('org_c')}.seen`)).toEqual([
      { own: true, ids: [1] },
      { own: true, ids: [] },
    ]);
    expect((await ways()).size).toBe(3);
    await rollbackTenants(fleet.database, { folder: project.tenants, extent: { all: true } });
    expect(await contentsOf(fleet, ORGANIZATIONS)).toEqual(before);
  },
);
