import { tryLock } from '../../db/advisory-lock.ts';
import { withTransaction, type OpenTransaction } from '../../db/transaction.ts';
import type { TenantctlError } from '../../errors.ts';
import type { RunContext } from '../run/run-context.ts';
import type { Attempt } from '../serve/work.ts';
import { assertFinished, selectVerbIntent, type LongVerb, type VerbIntent } from '../state/verb-intents.ts';
import { lockOf } from '../target/lock.ts';

/**
 * One try to do something to a tenant, in one transaction under its lock: `busy` if somebody else has the lock.
 * @param verb the verb at work: its own intent is no reason to refuse the tenant
 * @param use commits the transaction, or abandons it
 * @param explain makes the tenant's error of what was thrown
 */
export async function tryUnderLock<Done>(
  { database, lockTimeoutMs, statementTimeoutMs }: RunContext,
  schema: string,
  use: (transaction: OpenTransaction) => Promise<Attempt<Done>>,
  explain: (thrown: unknown) => TenantctlError,
  verb?: LongVerb,
): Promise<Attempt<Done>> {
  let pid: number | undefined;
  try {
    return await withTransaction(
      database,
      { lockTimeoutMs, statementTimeoutMs },
      [
        `SELECT ${tryLock(lockOf(schema))} AS locked, pg_backend_pid() AS pid`,
        `SELECT ${selectVerbIntent(schema)} AS verb`,
      ],
      async (transaction): Promise<Attempt<Done>> => {
        const taken = transaction.opening[0]?.rows[0] as { locked: boolean; pid: number } | undefined;
        pid = taken?.pid;
        if (taken?.locked !== true) {
          transaction.abandon();
          return { kind: 'busy' };
        }
        assertFinished(
          (transaction.opening[1]?.rows[0] as { verb: VerbIntent | null } | undefined)?.verb,
          verb,
        );
        return use(transaction);
      },
    );
  } catch (thrown) {
    return { kind: 'failed', error: explain(thrown), mayRepeat: true, pid };
  }
}
