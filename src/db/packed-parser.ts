/** PostgreSQL's parser (https://github.com/pganalyze/libpg_query). The build packs it into one file. */
export { parse, scan } from 'libpg-query';
