import knex from 'knex';

/** Knex for projects that have not loaded their own. The build packs its 340 files into one, which loads faster. */
export const createKnex = knex;
