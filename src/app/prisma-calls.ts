import type { Pool } from 'pg';
import { TenantctlError } from '../errors.ts';
import { openCalls, type Calls, type OpenTenantsOptions } from './calls.ts';
import { connectionsOf } from './connection-source.ts';
import { inLibraryTransaction } from './library-transaction.ts';
import { beginOn } from './prisma-adapter.ts';

/** A generated Prisma client. */
export interface AnyPrisma<Tx> {
  $transaction<Result>(
    work: (tx: Tx) => Promise<Result>,
    options?: { maxWait?: number; timeout?: number },
  ): Promise<Result>;
}

/** What Prisma does not tell of itself. */
export interface PrismaTenantsOptions extends OpenTenantsOptions {
  /** The pool of its `tenantAdapter`. */
  readonly pool: Pick<Pool, 'connect'>;
}

/** The longest time of a timer. Prisma would end the transaction behind the back of the call. */
const NEVER = { maxWait: 2_147_483_647, timeout: 2_147_483_647 };

export function openPrismaCalls<Tx>(
  db: AnyPrisma<Tx>,
  { pool, ...options }: PrismaTenantsOptions,
): Calls<Tx> {
  return openCalls<Tx>(connectionsOf(pool), options, (client, work, _options, committed) =>
    inLibraryTransaction({ client, committed }, work, (connection, run) =>
      beginOn(connection, (isTaken) =>
        db.$transaction((tx) => {
          if (isTaken()) return run(tx);
          throw new TenantctlError('USAGE', 'This Prisma client has another adapter.', {
            hint: 'Make it by new PrismaClient({ adapter: tenantAdapter(pool) }), from tenantctl/prisma.',
          });
        }, NEVER),
      ),
    ),
  );
}
