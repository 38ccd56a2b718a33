/** What the demo writes into the file that `make tenant` has made. */
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
