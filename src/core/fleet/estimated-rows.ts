/**
 * SQL: how many rows the table `c` of pg_class has, about. ANALYZE has counted some; the statistics of a table that was
 * never analyzed know what was written to it: https://www.postgresql.org/docs/current/monitoring-stats.html
 */
export const ESTIMATED_ROWS = 'greatest(c.reltuples::float8, pg_stat_get_live_tuples(c.oid)::float8, 0)';
