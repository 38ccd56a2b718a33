// The rival: what a team does that has Knex alone. One Knex instance per tenant, so many at once.
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
