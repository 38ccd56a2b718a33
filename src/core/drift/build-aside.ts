import { randomBytes } from 'node:crypto';
import { literal } from '../../db/sql.ts';
import { withTransaction } from '../../db/transaction.ts';
import { TenantctlError } from '../../errors.ts';
import type { MigrationFolder } from '../files/source.ts';
import { prepareState, readState } from '../install/state-schema.ts';
import { withRun } from '../ledger/recorded-run.ts';
import type { Observer } from '../report/event.ts';
import { grantApplications } from '../roles/application-roles.ts';
import { ONE_LANE } from '../run/lanes.ts';
import type { RunContext } from '../run/run-context.ts';
import { serve } from '../serve/serve.ts';
import type { Task } from '../serve/work.ts';
import { readShape } from '../shape/read-shapes.ts';
import type { Shape } from '../shape/shape.ts';
import { readStateVersion, VERB_INTENTS_SINCE } from '../state/version.ts';
import { SELECT_LEFT } from '../state/verb-intents.ts';
import { besideBuild } from '../tenant/build/beside-build.ts';
import { buildTenant, type Build } from '../tenant/build/build-tenant.ts';
import { dropBeside } from '../tenant/common/schemas-beside.ts';
import { referenceFailed } from './reference-failed.ts';

/** What references are built with. */
export interface ReferenceWork {
  readonly context: RunContext;
  readonly folder: MigrationFolder;
  readonly observe: Observer;
}

/**
 * Builds a schema in the transactions that a tenant gets, and drops it when its shape is read. It has no row in the
 * registry. The run is recorded, and the schema has a verb intent: what a killed process has left is known, and the next
 * one drops it.
 * @throws TenantctlError REFERENCE_FAILED, INTERRUPTED
 */
export async function buildAside(
  { context: given, folder, observe }: ReferenceWork,
  migrations: readonly string[],
): Promise<Shape> {
  const { database } = given;
  const facts = { command: 'drift', options: {}, label: undefined, keep: undefined, observe } as const;
  const { shape } = await withRun(
    database,
    facts,
    async (run) => {
      const context = { ...given, run };
      await prepareState(database, await readState(database), observe);
      await run.begin(migrations);
      const schema = `tenantctl_reference_${randomBytes(8).toString('hex')}`;
      const build = besideBuild({
        context,
        clerkOrgId: schema,
        schema,
        folder,
        migrations,
        role: undefined,
        verb: 'drift',
        details: { command: 'tenantctl drift' },
      });
      try {
        await serveBuild(build, observe);
        return { shape: await readRolledBack(context, schema) };
      } finally {
        await dropBeside({ context, observe }, schema, 'drift');
      }
    },
    () => ({ outcome: 'done', totals: {} }),
  );
  return shape;
}

async function serveBuild(build: Build, observe: Observer): Promise<void> {
  const { context, clerkOrgId, schema } = build;
  const { outcomes } = await serve<Task, object>(context, [{ tenant: { clerkOrgId, schema } }], {
    lanes: ONE_LANE,
    observe,
    attempt: () => buildTenant(build),
  });
  const [outcome] = outcomes;
  if (outcome?.kind === 'failed') throw referenceFailed(outcome.error.migration, outcome.error);
  if (outcome?.kind !== 'done')
    throw new TenantctlError('INTERRUPTED', 'The run was stopped before the reference was built.');
}

/** With the application's rights, which are of no use to it here. */
function readRolledBack({ database, lockTimeoutMs }: RunContext, schema: string): Promise<Shape> {
  return withTransaction(database, { lockTimeoutMs }, [], async (transaction) => {
    transaction.abandon();
    await transaction.client.query(grantApplications(literal(schema)));
    return readShape(transaction.client, schema, database);
  });
}

/** Drops what processes that were killed have left. One query if there is nothing. */
export async function dropLeftReferences(context: RunContext, observe: Observer): Promise<void> {
  const { database } = context;
  if ((await readStateVersion(database)) < VERB_INTENTS_SINCE) return;
  const { rows } = await database.query<{ schema: string }>(
    `SELECT l.schema FROM (${SELECT_LEFT}) l WHERE l.details ->> 'verb' = 'drift'`,
  );
  for (const { schema } of rows) await dropBeside({ context, observe }, schema, 'drift');
}
