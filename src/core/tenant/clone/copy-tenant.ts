import type { TenantNames } from '../../../names.ts';
import { tryLockSession } from '../../../db/advisory-lock.ts';
import { toDatabaseError } from '../../../db/database-error.ts';
import { literal } from '../../../db/sql.ts';
import { withTransaction, type OpenTransaction } from '../../../db/transaction.ts';
import type { TenantctlError } from '../../../errors.ts';
import { counted, tenantWord } from '../../../wording.ts';
import type { Mask } from '../../content/mask.ts';
import { copyContent } from '../../content/copy-content.ts';
import { readContent } from '../../content/read-content.ts';
import { recordInLedger } from '../../ledger/record-in-run.ts';
import { tenantNotActive } from '../../registry/not-active.ts';
import type { RegistryShape } from '../../registry/registry-shape.ts';
import { setStatus, statusIn } from '../../registry/status.ts';
import { TRANSITIONS } from '../../registry/transitions.ts';
import { grantApplications } from '../../roles/application-roles.ts';
import type { RunContext } from '../../run/run-context.ts';
import type { Attempt, Earlier } from '../../serve/work.ts';
import { compareShapes, type ShapeDifference } from '../../shape/compare-shapes.ts';
import { readShape } from '../../shape/read-shapes.ts';
import { stampOf } from '../../stamps/stamps.ts';
import { forgetFailure } from '../../state/failures.ts';
import { copySeeds } from '../../state/scripts.ts';
import { assertFinished, tenantUnfinished, type VerbIntent } from '../../state/unfinished-verb.ts';
import { endVerb, selectVerbIntent } from '../../state/verb-intents.ts';
import { lockOf } from '../../target/lock.ts';
import { tenantTarget } from '../../target/target.ts';
import { fitContent } from '../build/fit-content.ts';
import { assertCloned, assertHistory, readCloneContent, type CloneSource } from './clone-source.ts';
import { shapeDiffers } from '../build/shape-differs.ts';

export interface TenantCopy {
  readonly context: RunContext;
  readonly registry: RegistryShape;
  readonly source: CloneSource;
  /** Built, with the intent of this run. */
  readonly target: TenantNames;
  readonly options: {
    readonly schemaOnly?: boolean | undefined;
    readonly mask?: Mask | undefined;
    readonly maskRest?: 'keep' | undefined;
    readonly maskKey?: string | undefined;
    readonly allowDrift?: boolean | undefined;
  };
}

export interface Copied {
  /** Rows that were copied. */
  readonly rows: number;
  readonly differences: readonly ShapeDifference[];
}

const UNKNOWN: Copied = { rows: 0, differences: [] };

/**
 * Copies the rows of a tenant into one that was built for it, and makes that one ACTIVE: one try, in one transaction
 * under the locks of both. Its one snapshot is taken when both locks are held, so it has what the source's last migration
 * did. A lock that is not free is not waited for: two copies cannot wait for each other.
 */
export async function copyTenant(copy: TenantCopy, earlier: Earlier<Copied>): Promise<Attempt<Copied>> {
  const { context, source, target } = copy;
  const { database, lockTimeoutMs, statementTimeoutMs } = context;
  const [ofSource, ofTarget] = [source.tenant, target].map(({ schema }) => tryLockSession(lockOf(schema)));
  const settings = {
    lockTimeoutMs,
    statementTimeoutMs,
    tenants: 2,
    snapshotAfter: [
      `SELECT ${ofSource} AS "isSourceOurs", ${ofTarget} AS "isTargetOurs", pg_backend_pid() AS pid`,
    ],
    isWritten: true,
  };
  let pid: number | undefined;
  try {
    return await withTransaction(database, settings, [selectSeen(copy)], async (transaction) => {
      const [lock, seen] = transaction.opening.map(({ rows }): unknown => rows[0]) as [Lock, Seen];
      ({ pid } = lock);
      if (!lock.isSourceOurs || !lock.isTargetOurs) {
        transaction.abandon();
        return { kind: 'busy', of: lock.isSourceOurs ? undefined : source.tenant.clerkOrgId };
      }
      // An earlier attempt has committed, although its connection was lost.
      if (earlier.mayBeCommitted && seen.verb === null && seen.status === TRANSITIONS.clone.to) {
        transaction.abandon();
        return { kind: 'done', done: UNKNOWN };
      }
      return { kind: 'done', done: await copyUnderLocks(copy, transaction, seen) };
    });
  } catch (thrown) {
    const error = toDatabaseError(thrown).with({ tenant: target.clerkOrgId });
    return { kind: 'failed', error, mayRepeat: true, pid };
  }
}

interface Lock {
  readonly isSourceOurs: boolean;
  readonly isTargetOurs: boolean;
  readonly pid: number;
}

interface Seen {
  /** Of the clone. */
  readonly status: string | null;
  readonly verb: VerbIntent | null;
  readonly source_status: string | null;
  readonly source_verb: VerbIntent | null;
}

function selectSeen({ context, source, target }: TenantCopy): string {
  const { names } = context.database;
  return `SELECT ${statusIn(names, target)} AS status, ${selectVerbIntent(target.schema)} AS verb,
                 ${statusIn(names, source.tenant)} AS source_status, ${selectVerbIntent(source.tenant.schema)} AS source_verb`;
}

/** @throws TenantctlError TENANT_UNFINISHED if another run has taken over from this one */
function assertOwn({ context: { run }, target }: TenantCopy, { verb, status }: Seen): void {
  if (verb === null) throw tenantNotActive(target, status);
  if (verb.verb !== 'clone' || (run?.id !== undefined && verb.run !== run.id)) throw tenantUnfinished(verb);
}

async function copyUnderLocks(copy: TenantCopy, transaction: OpenTransaction, seen: Seen): Promise<Copied> {
  const { context, registry, source, target, options } = copy;
  const { client } = transaction;
  const { schemaOnly = false, maskKey, allowDrift } = options;
  const { database, run } = context;
  const { names } = database;
  const [from, to] = [source.tenant.schema, target.schema];
  assertCloned(source.tenant, seen.source_status);
  assertFinished(seen.source_verb);
  assertOwn(copy, seen);
  await assertHistory(client, source, names);
  // The application has its rights in the source.
  await client.query(grantApplications(literal(to)));
  const shape = await readShape(client, from, database);
  const differences = compareShapes(await readShape(client, to, database), shape);
  if (differences.length > 0 && allowDrift !== true) throw sourceDrifted(source, differences);
  // Again, in this snapshot: rows and sequences go together.
  const { content: all, masks } = await readCloneContent(client, from, names, options);
  const content =
    differences.length === 0 ? all : fitContent(all, await readContent(client, to, names)).content;
  const rows = schemaOnly ? 0n : await copyContent(client, { from, to, content, names, masks, maskKey });
  await transaction.commitWith([
    ...(schemaOnly ? [] : [copySeeds(from, to, run?.id)]),
    setStatus(names, registry, to, TRANSITIONS.clone.to),
    endVerb(to),
    forgetFailure(to),
    ...recordInLedger(run?.id, target, { direction: 'up', outcome: 'cloned' }),
    ...stampOf(tenantTarget(names, target)),
  ]);
  return { rows: Number(rows), differences };
}

function sourceDrifted(
  { tenant: { clerkOrgId: tenant } }: CloneSource,
  differences: readonly ShapeDifference[],
): TenantctlError {
  return shapeDiffers(tenant, differences, {
    message: `"${tenant}" is not as its migrations make it: ${counted(differences.length, 'object', 'differs')}.`,
    words: { missing: 'not in the tenant', extra: 'only in the tenant', changed: 'changed' },
    hint: `To see it: tenantctl drift show ${tenantWord(tenant)}. Repair the tenant by a migration; or go on without what its migrations do not make: --allow-drift`,
  });
}
