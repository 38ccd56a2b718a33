import type { RivalName } from '../rivals/rival.ts';

/** Display names of the rivals, in display order. */
export const RIVAL_TITLES: Readonly<Record<RivalName, string>> = {
  tenantctl: 'tenantctl',
  'psql-same': 'psql, the same strings',
  'psql-no-ledger': 'psql, the same without the ledger',
  'psql-no-guard': 'psql, the same without the guard',
  psql: 'psql, bare statements',
  knex: 'Knex per tenant',
  'node-pg-migrate': 'node-pg-migrate per schema',
  dbmate: 'dbmate per tenant',
};

export const RIVALS = Object.keys(RIVAL_TITLES) as readonly RivalName[];
