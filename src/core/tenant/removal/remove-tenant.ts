import { keepingLock } from '../../../db/lock-keeper.ts';
import { identifier } from '../../../db/sql.ts';
import { readContent } from '../../content/read-content.ts';
import { recordInLedger } from '../../ledger/record-in-run.ts';
import { tenantNotActive } from '../../registry/not-active.ts';
import { refusedSchema } from '../../registry/registration-errors.ts';
import { changeStatus, deleteRow } from '../../registry/status.ts';
import { TRANSITIONS } from '../../registry/transitions.ts';
import type { RunContext } from '../../run/run-context.ts';
import type { Attempt } from '../../serve/work.ts';
import { readShape } from '../../shape/read-shapes.ts';
import { forgetAllFailures } from '../../state/failures.ts';
import { buryTenant } from '../../state/tombstones.ts';
import { tenantAmbiguous } from '../../state/tenant-ids.ts';
import { beginVerb, endVerb } from '../../state/verb-intents.ts';
import { assertUnreferenced, readOutsideTies } from '../common/outside-ties.ts';
import { dropOwnRole } from './own-role.ts';
import { REMOVED, type RemovalVerb, type RemovedTenant } from './removal-result.ts';
import { removeTraces } from '../common/traces.ts';
import { orWithoutBackup } from './save-before-removal.ts';
import { lockTables } from '../common/lock-tables.ts';
import { partOf, putAway } from './drop-in-parts.ts';
import {
  isOver,
  look,
  underLock,
  type Before,
  type Removal,
  type Removed,
  type Seen,
} from './removal-step.ts';

/**
 * Takes a tenant's schema away, in several transactions, each under the tenant's lock. Killed between any two of them,
 * the next attempt continues.
 *
 * 1. SUSPENDED, with an intent: from now on all else leaves the tenant alone.
 * 2. One short transaction for each foreign key to a table outside the schema: to drop a table takes the strongest
 *    lock on each table that it refers to, and every tenant would wait for the end of the drop.
 * 3. The tenant's tables are locked, backed up, and dropped: nothing that is written later can exist.
 */
export async function removeTenant(
  context: RunContext,
  removal: Removal,
  tenant: RemovedTenant,
): Promise<Attempt<Removed>> {
  let attempt = await begin(context, removal, tenant);
  while (attempt.kind === 'done' && attempt.done.ties !== undefined)
    attempt = await (attempt.done.ties.length > 0 ? untie : finish)(context, removal, tenant);
  return attempt;
}

/** @throws TenantctlError why the tenant must not lose its schema */
function assertRemovable(verb: RemovalVerb, tenant: RemovedTenant, { status, rows, isKnown }: Seen): void {
  if (!TRANSITIONS[verb].from.some((word) => word === status)) throw tenantNotActive(tenant, status);
  const shared = rows > 1 ? { ...tenant, sharedBy: 'several organizations' } : tenant;
  const refused = refusedSchema(shared);
  if (refused !== undefined) throw refused;
  if (!isKnown && tenant.schema !== '') throw tenantAmbiguous(tenant);
}

function begin(
  context: RunContext,
  { verb, registry, save }: Removal,
  tenant: RemovedTenant,
): Promise<Attempt<Removed>> {
  const { schema } = tenant;
  const { names } = context.database;
  const { from, during } = TRANSITIONS[verb];
  const run = context.run?.id;
  return underLock(context, verb, tenant, async (transaction) => {
    const { client } = transaction;
    const seen = await look(context, client, tenant);
    const { status, intent } = seen;
    if (isOver(verb, seen) || seen.isAtWork) {
      transaction.abandon();
      return seen.isAtWork ? { kind: 'busy' } : { kind: 'done', done: { isOver: true } };
    }
    assertRemovable(verb, tenant, seen);
    if (schema === '') {
      await transaction.commitWith([deleteRow(names, tenant)]);
      return { kind: 'done', done: {} };
    }
    const { away, backupFile } = (intent?.details ?? {}) as Before;
    const found = await readOutsideTies(client, away ?? schema);
    assertUnreferenced(tenant, found);
    const { ties } = found;
    // Of an ARCHIVED tenant, the schema is gone. An ACTIVE one must not lose its schema unseen.
    const isGone = away !== undefined || (verb === 'drop' && found.objects === 0);
    // What cannot be backed up is refused before anything is changed.
    if (save && !isGone) await orWithoutBackup(verb, readContent(client, schema, names));
    const shape = save && !isGone ? await readShape(client, schema, context.database) : undefined;
    const taken = {
      restore: ties.map(({ restore }) => restore),
      validate: ties.flatMap(({ validate }) => validate ?? []),
    };
    const before = { status, ...taken, ...(shape && { shape }) };
    // What it was before a removal that was killed, that one has recorded. Before another verb, nobody has.
    const details =
      intent?.verb === verb
        ? { ...before, ...intent.details }
        : intent === null
          ? before
          : { shape, away, backupFile };
    await transaction.commitWith([
      ...(status === during ? [] : [changeStatus(names, registry, tenant, { from, to: during })]),
      beginVerb(schema, { verb, details, ...(run !== undefined && { run }) }),
    ]);
    return { kind: 'done', done: { ties } };
  });
}

/** Removes the first of the ties that are left. */
function untie(context: RunContext, { verb }: Removal, tenant: RemovedTenant): Promise<Attempt<Removed>> {
  return underLock(context, verb, tenant, async (transaction) => {
    const [first, ...ties] = (await readOutsideTies(transaction.client, tenant.schema)).ties;
    if (first === undefined) transaction.abandon();
    else await transaction.commitWith([first.remove]);
    return { kind: 'done', done: { ties } };
  });
}

function finish(
  context: RunContext,
  { verb, registry, save }: Removal,
  tenant: RemovedTenant,
): Promise<Attempt<Removed>> {
  const { schema } = tenant;
  const { database, run } = context;
  return underLock(context, verb, tenant, async (transaction) => {
    const { client } = transaction;
    const seen = await look(context, client, tenant);
    const { status, intent } = seen;
    if (isOver(verb, seen)) return { kind: 'done', done: { isOver: true } };
    if (status !== TRANSITIONS[verb].during || intent?.verb !== verb) throw tenantNotActive(tenant, status);
    const details = intent.details as Before;
    const { away, shape } = details;
    if (away === undefined) await lockTables(client, schema);
    const found = await readOutsideTies(client, away ?? schema);
    assertUnreferenced(tenant, found);
    if (found.ties.length > 0) {
      transaction.abandon();
      return { kind: 'done', done: { ties: found.ties } };
    }
    const saved =
      save === undefined || shape === undefined || away !== undefined
        ? undefined
        : await orWithoutBackup(
            verb,
            keepingLock(client, () => save(client, tenant, shape)),
          );
    const backupFile = saved?.file ?? details.backupFile;
    if (found.objects > found.capacity / 2) {
      const part =
        away === undefined
          ? await putAway(client, schema, { ...details, backupFile })
          : await partOf(client, away, found);
      await transaction.commitWith([...(saved?.record ?? []), ...part]);
      return { kind: 'done', done: { ties: [] } };
    }
    if (away !== undefined) await client.query(`DROP SCHEMA IF EXISTS ${identifier(away)} CASCADE`);
    for (const statement of removeTraces(database.names, { schema })) await client.query(statement);
    await dropOwnRole(context, client, tenant);
    await transaction.commitWith([
      ...(saved?.record ?? []),
      ...recordInLedger(run?.id, tenant, { direction: 'down', outcome: REMOVED[verb] }),
      forgetAllFailures(schema),
      endVerb(schema),
      ...(verb === 'drop'
        ? [
            deleteRow(database.names, tenant),
            buryTenant(schema, found.objects === 0 ? undefined : (backupFile ?? null)),
          ]
        : [changeStatus(database.names, registry, tenant, ARCHIVED)]),
    ]);
    return { kind: 'done', done: { backupFile } };
  });
}

const ARCHIVED = { from: [TRANSITIONS.archive.during], to: TRANSITIONS.archive.to } as const;
