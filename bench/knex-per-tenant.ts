// The rival: what a team does that has Knex alone. One Knex instance per tenant, so many at once.
import createKnex from 'knex';
import pLimit from 'p-limit';

const [url = '', directory = '', concurrency = '4'] = process.argv.slice(2);
const connection = { client: 'pg', connection: url };

const registry = createKnex(connection);
const tenants = await registry('tenants').where({ status: 'ACTIVE' }).select<{ schema_name: string }[]>();
await registry.destroy();

const limit = pLimit(Number(concurrency));
await Promise.all(
  tenants.map(({ schema_name: schemaName }) =>
    limit(async () => {
      const knex = createKnex({ ...connection, searchPath: [schemaName, 'public'] });
      try {
        await knex.migrate.latest({ directory, tableName: 'knex_migrations_tenant', schemaName });
      } finally {
        await knex.destroy();
      }
    }),
  ),
);
