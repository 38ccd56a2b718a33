// A rival: node-pg-migrate's runner, once per schema, several in parallel.
import { runner } from 'node-pg-migrate';
import pLimit from 'p-limit';
import { firstSchemas } from './first-schemas.ts';

const [url = '', dir = '', concurrency = '4', first = '0'] = process.argv.slice(2);

const limit = pLimit(Number(concurrency));
await Promise.all(
  (await firstSchemas(url, Number(first))).map((schema, index) =>
    limit(() =>
      runner({
        databaseUrl: url,
        dir,
        direction: 'up',
        schema: [schema, 'public'],
        migrationsSchema: schema,
        migrationsTable: 'pgmigrations',
        // Its command line does this; the library leaves it to the caller.
        singleTransaction: true,
        // By default its lock covers the whole database, so no two schemas could run in parallel.
        lockValue: index + 1,
        log: () => {},
      }),
    ),
  ),
);
