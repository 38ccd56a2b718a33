// Adding to what is there shows how often it was done.
export async function up(knex) {
  await knex.raw('UPDATE regions SET places = places + 10');
  await knex('shared_deeds').insert({ name: 'more places' });
}

export async function down(knex) {
  await knex('shared_deeds').where({ name: 'more places' }).del();
  await knex.raw('UPDATE regions SET places = places - 10');
}
