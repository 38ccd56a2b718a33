/** What the demo writes into the files that `make tenant` has made. */
export const USER_PREFERENCES = `import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('user_preferences', (table) => {
    table.bigInteger('org_user_id').primary().references('id').inTable('org_users').onDelete('CASCADE');
    table.string('theme', 20).notNullable().defaultTo('system');
    table.timestamp('updated_at').notNullable().defaultTo(knex.fn.now());
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable('user_preferences');
}
`;

export const NAMES_REQUIRED = `import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('org_users', (table) => table.dropNullable('display_name'));
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.alterTable('org_users', (table) => table.setNullable('display_name'));
}
`;

/** Passes for a tenant if it returns true. */
export const CHECK = `SELECT count(*) = 0 FROM user_preferences WHERE theme NOT IN ('system', 'light', 'dark');
`;
