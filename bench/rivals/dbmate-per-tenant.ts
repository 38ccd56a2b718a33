// A rival: one dbmate per tenant, several in parallel. The URL's search_path selects the schema.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { resolveBinary } from 'dbmate';
import pLimit from 'p-limit';
import { firstSchemas } from './first-schemas.ts';

const [url = '', directory = '', concurrency = '4', first = '0'] = process.argv.slice(2);

const run = promisify(execFile);
const program = resolveBinary();
const limit = pLimit(Number(concurrency));
await Promise.all(
  (await firstSchemas(url, Number(first))).map((schema) =>
    limit(() => {
      const tenantUrl = new URL(url);
      tenantUrl.searchParams.set('sslmode', 'disable');
      tenantUrl.searchParams.set('search_path', `${schema},public`);
      return run(program, [
        '--url',
        tenantUrl.href,
        '--migrations-dir',
        directory,
        '--migrations-table',
        `${schema}.schema_migrations`,
        '--no-dump-schema',
        'migrate',
      ]);
    }),
  ),
);
