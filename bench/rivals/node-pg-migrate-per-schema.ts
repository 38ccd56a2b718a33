// The rival: node-pg-migrate's runner, once for each schema, so many at once.
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
        // What its command line does, and the library leaves to the caller.
        singleTransaction: true,
        // Its own lock is one for the whole database, so no two schemas could be served at once.
        lockValue: index + 1,
        log: () => {},
      }),
    ),
  ),
);
