export async function up(knex) {
  await knex.schema.alterTable('notes', (table) => {
    table.integer('importance').notNullable().defaultTo(0);
    table.index(['importance'], 'notes_importance');
  });
  await knex.raw("INSERT INTO deeds VALUES ('importance')");
}

export async function down(knex) {
  await knex.raw("DELETE FROM deeds WHERE name = 'importance'");
  await knex.schema.alterTable('notes', (table) => {
    table.dropColumn('importance');
  });
}
