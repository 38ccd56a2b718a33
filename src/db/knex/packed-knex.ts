import knex from 'knex';

/**
 * Knex for those who have none of their own. The build puts it into one file: Knex is 340 small ones, and finding them
 * takes longer than all that a run does before its first statement.
 */
export const createKnex = knex;
