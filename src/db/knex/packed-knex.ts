import knex from 'knex';

/** Used unless the project's own runs the migrations (loadKnex). The build packs its 340 files into one, to load faster. */
export const createKnex = knex;
