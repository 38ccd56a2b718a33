import knex from 'knex';

/** Used unless the project has loaded its own Knex. The build packs its 340 files into one, to load faster. */
export const createKnex = knex;
