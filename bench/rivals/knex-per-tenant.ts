// A rival: a team with only Knex. One Knex instance per tenant, several in parallel.
import createKnex from 'knex';
import pLimit from 'p-limit';
import { firstSchemas } from './first-schemas.ts';

const [url = '', directory = '', concurrency = '4', first = '0'] = process.argv.slice(2);

const limit = pLimit(Number(concurrency));
await Promise.all(
  (await firstSchemas(url, Number(first))).map((schemaName) =>
    limit(async () => {
      const knex = createKnex({ client: 'pg', connection: url, searchPath: [schemaName, 'public'] });
      try {
        await knex.migrate.latest({ directory, tableName: 'knex_migrations_tenant', schemaName });
      } finally {
        await knex.destroy();
      }
    }),
  ),
);
