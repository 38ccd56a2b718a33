import { tryLock, tryLockSession } from '../../db/advisory-lock.ts';
import type { Database } from '../../db/database.ts';
import { withTransaction, type OpenTransaction, type TransactionSettings } from '../../db/transaction.ts';
import type { TenantctlError } from '../../errors.ts';
import type { RunContext } from '../run/run-context.ts';
import type { Attempt } from '../serve/work.ts';
import { assertFinished, type LongVerb, type VerbIntent } from '../state/unfinished-verb.ts';
import { selectVerbIntent } from '../state/verb-intents.ts';
import { lockOf } from '../target/lock.ts';

type Use<Done> = (transaction: OpenTransaction) => Promise<Attempt<Done>>;
type Explain = (thrown: unknown) => TenantctlError;

/**
 * One try to do something to a tenant, in one transaction under its lock: `busy` if somebody else has the lock.
 * @param verb the verb at work: its own intent is no reason to refuse the tenant
 * @param use commits the transaction, or abandons it
 * @param explain makes the tenant's error of what was thrown
 */
export function tryUnderLock<Done>(
  { database, lockTimeoutMs, statementTimeoutMs }: RunContext,
  schema: string,
  use: Use<Done>,
  explain: Explain,
  verb?: LongVerb,
): Promise<Attempt<Done>> {
  const settings = { lockTimeoutMs, statementTimeoutMs };
  return attempt(database, settings, [locking(schema, tryLock), intentOf(schema)], use, explain, verb);
}

/**
 * As tryUnderLock, in a READ ONLY transaction with one snapshot, which is taken when the lock is held: what the tenant's
 * last migration did is in it. `use` ends it with `commitWith` or `abandon`, which also release the lock.
 */
export function trySnapshotUnderLock<Done>(
  { database, lockTimeoutMs, statementTimeoutMs = 0 }: RunContext,
  schema: string,
  use: Use<Done>,
  explain: Explain,
): Promise<Attempt<Done>> {
  const snapshotAfter = [locking(schema, tryLockSession)];
  const settings = { lockTimeoutMs, statementTimeoutMs, snapshotAfter };
  return attempt(database, settings, [intentOf(schema)], use, explain);
}

function locking(schema: string, tryLockWith: (name: string) => string): string {
  return `SELECT ${tryLockWith(lockOf(schema))} AS locked, pg_backend_pid() AS pid`;
}

function intentOf(schema: string): string {
  return `SELECT ${selectVerbIntent(schema)} AS verb`;
}

/** @param opening with `snapshotAfter` of the settings, it first takes the lock, then reads the intent */
async function attempt<Done>(
  database: Database,
  settings: TransactionSettings,
  opening: readonly string[],
  use: Use<Done>,
  explain: Explain,
  verb?: LongVerb,
): Promise<Attempt<Done>> {
  let pid: number | undefined;
  try {
    return await withTransaction(database, settings, opening, async (transaction): Promise<Attempt<Done>> => {
      const [lock, intent] = transaction.opening;
      const taken = lock?.rows[0] as { locked: boolean; pid: number } | undefined;
      pid = taken?.pid;
      if (taken?.locked !== true) {
        transaction.abandon();
        return { kind: 'busy' };
      }
      assertFinished((intent?.rows[0] as { verb: VerbIntent | null } | undefined)?.verb, verb);
      return use(transaction);
    });
  } catch (thrown) {
    return { kind: 'failed', error: explain(thrown), mayRepeat: true, pid };
  }
}
