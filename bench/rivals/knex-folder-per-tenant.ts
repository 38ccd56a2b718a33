// A rival: plain Knex on a project's own folder. One Knex instance per tenant, several in parallel.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { extname, join } from 'node:path';
import type * as Jiti from 'jiti';
import type { Knex } from 'knex';
import pLimit from 'p-limit';
import type { KnexJob } from '../folder/knex-job.ts';

const job = JSON.parse(process.argv[2] ?? '') as KnexJob;
const require = createRequire(import.meta.url);
const loaded = require(job.knex) as typeof Knex & { readonly knex?: typeof Knex };
const createKnex = (typeof loaded === 'function' ? loaded : loaded['knex']) as unknown as (
  config: Knex.Config,
) => Knex;

// Knex's own reader, unless it cannot read these files.
const isKnexs = job.upTo === undefined && job.files.every((file) => /\.[cm]?js$/.test(file));
const source = isKnexs
  ? { directory: job.folder, loadExtensions: [...new Set(job.files.map(extname))] }
  : { migrationSource: { getMigrations, getMigrationName: (file: string) => file, getMigration } };

const SHOWN = 500;

const limit = pLimit(job.concurrency);
const calls = await Promise.all(
  job.schemas.map((schemaName) =>
    limit(async () => {
      const cpu = process.cpuUsage();
      const started = performance.now();
      const knex = createKnex({ client: 'pg', connection: job.url, searchPath: [schemaName, 'public'] });
      try {
        await knex.migrate.latest({ ...source, tableName: 'knex_migrations_tenant', schemaName });
      } catch (error) {
        // The statement stands before the server's message.
        console.error(`✖ ${String(error).slice(-SHOWN)}`);
        process.exit(1);
      } finally {
        await knex.destroy();
      }
      const { user, system } = process.cpuUsage(cpu);
      return { ms: performance.now() - started, cpuMs: (user + system) / 1000 };
    }),
  ),
);
console.log(JSON.stringify(calls));

function getMigrations(): Promise<string[]> {
  return Promise.resolve(job.files.slice(0, job.upTo));
}

/** Knex before 0.95 does not wait for it in every place. */
function getMigration(file: string): Promise<Knex.Migration> {
  return load(file) as unknown as Promise<Knex.Migration>;
}

function load(file: string): Knex.Migration {
  const path = join(job.folder, file);
  if (file.endsWith('.sql')) return sqlMigration(readFileSync(path, 'utf8'));
  try {
    return require(path) as Knex.Migration;
  } catch (error) {
    if (!file.endsWith('ts')) throw error;
    const { createJiti } = require('jiti') as typeof Jiti;
    return createJiti(path, { fsCache: false })(path) as Knex.Migration;
  }
}

/** Knex has no SQL files: a team writes such a loader. */
function sqlMigration(text: string): Knex.Migration & { config: { transaction: boolean } } {
  const [, flags = '', up = text] =
    /^--\s*migrate:up(.*)$([\s\S]*?)(?:^--\s*migrate:down|$(?![\s\S]))/m.exec(text) ?? [];
  return {
    up: (knex) => knex.raw(up.replaceAll('?', '\\?')),
    down: () => Promise.resolve(),
    config: { transaction: !/transaction:\s*false/.test(flags) },
  };
}
