import type { FolderPrograms } from './folder-programs.ts';
import { withWire } from '../wire/wire.ts';
import { recordedSteps } from './recorded-statements.ts';
import { tenantScript } from './tenant-string.ts';

/** What one tenant was sent, as a script that psql can send any tenant. */
export interface Recording {
  readonly schema: string;
  /** With everything in one transaction, and with Knex's transactions. */
  readonly candidates: readonly string[];
}

/** Runs plain Knex for one tenant of the database and records what it sends. */
export async function record(programs: FolderPrograms, url: string, schema: string): Promise<Recording> {
  return withWire(url, 0, async ({ url: through, conversations }) => {
    await programs.knex({ url: through, concurrency: 1, schemas: [schema] });
    const steps = await recordedSteps(conversations, HISTORY);
    return {
      schema,
      candidates: await Promise.all([
        tenantScript(steps, schema, 'one'),
        tenantScript(steps, schema, 'as recorded'),
      ]),
    };
  });
}

const HISTORY = 'knex_migrations_tenant';
