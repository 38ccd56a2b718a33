import { createKnexFactory, type KnexFactory } from '../../db/knex/knex-session.ts';
import { createReadStatements, type ReadStatements } from '../statements/read-statements.ts';
import { loadMigration, type Migration } from '../files/load.ts';
import type { MigrationFile } from '../files/source.ts';
import { toTenantctlError } from '../../errors.ts';
import { DEFAULT_RETRIES } from './retry.ts';
import type { RecordedRun } from '../ledger/recorded-run.ts';
import type { Database } from '../../db/database.ts';

export interface RunOptions {
  /** Milliseconds that a statement of a migration may wait for a lock that somebody else holds; 0 for ever. */
  readonly lockTimeoutMs?: number | undefined;
  /** Milliseconds that a statement of a migration may take; the server's own default where absent, 0 for ever. */
  readonly statementTimeoutMs?: number | undefined;
  /** How often a tenant is tried again after an error that may pass (src/core/run/retry.ts); 6 where absent. */
  readonly retries?: number | undefined;
  /**
   * The role that owns a tenant's schema and runs its migrations; `{schema}` stands for the tenant's schema. If absent,
   * they run as the role that is logged in.
   */
  readonly tenantRole?: string | undefined;
  /** Milliseconds to wait for another run that is at work on the same schema. */
  readonly lockWaitMs?: number | undefined;
  /** Aborting it stops the run: no new work is begun, what is at work finishes. */
  readonly signal?: AbortSignal | undefined;
  /** How many runs of the command, and as many with nothing to do, the ledger keeps; 100 where absent. */
  readonly keepRuns?: number | undefined;
}

/** What a run works with. */
export interface RunContext {
  readonly database: Database;
  readonly lockTimeoutMs: number;
  readonly statementTimeoutMs: number | undefined;
  readonly retries: number;
  readonly lockWaitMs: number;
  readonly tenantRole: string | undefined;
  readonly signal: AbortSignal | undefined;
  readonly failureLimit?: FailureLimit | undefined;
  readonly throttle?: Throttle | undefined;
  /** What the ledger is told of; nothing is, where absent or not begun. */
  readonly run: Pick<RecordedRun, 'id'> | undefined;
  readonly knex: () => Promise<KnexFactory>;
  readonly load: (file: MigrationFile) => Promise<Migration>;
  readonly readStatements: ReadStatements;
}

export const DEFAULT_LOCK_TIMEOUT_MS = 5_000;
export const DEFAULT_LOCK_WAIT_MS = 60_000;

export function createRunContext(
  database: Database,
  options: RunOptions = {},
  run?: Pick<RecordedRun, 'id'>,
): RunContext {
  let factory: Promise<KnexFactory> | undefined;
  const migrations = new Map<string, Promise<Migration>>();
  return {
    database,
    lockTimeoutMs: options.lockTimeoutMs ?? DEFAULT_LOCK_TIMEOUT_MS,
    statementTimeoutMs: options.statementTimeoutMs,
    retries: options.retries ?? DEFAULT_RETRIES,
    lockWaitMs: options.lockWaitMs ?? DEFAULT_LOCK_WAIT_MS,
    tenantRole: options.tenantRole,
    signal: options.signal,
    run,
    readStatements: createReadStatements(),
    knex: () => (factory ??= createKnexFactory()),
    load(file) {
      const earlier = migrations.get(file.path);
      if (earlier !== undefined) return earlier;
      // Loading runs the file's top level, which may throw anything, secrets included.
      const loading = loadMigration(file).catch((error: unknown) => {
        throw toTenantctlError(error).concealing(database.conceal);
      });
      migrations.set(file.path, loading);
      return loading;
    },
  };
}

/** Nothing new may begin: the run was told to stop, its database was closed, or too many tenants have failed. */
export function isStopped(context: Pick<RunContext, 'database' | 'signal' | 'failureLimit'>): boolean {
  const { database, signal, failureLimit } = context;
  return signal?.aborted === true || database.isCancelled || failureLimit?.isOpen === true;
}

/** Opens when too many tenants have failed: nothing is begun any more, and what is at work finishes. */
export interface FailureLimit {
  readonly isOpen: boolean;
  /** Why tenants are skipped that nobody came to. */
  readonly reason: string;
  /** A tenant has failed. */
  failed(): void;
  /** Whether it would be open if so many more tenants had failed. */
  wouldOpen(more: number): boolean;
}

/** Holds back tenants that are about to begin. */
export interface Throttle {
  /** None may be begun now. */
  readonly isHeld: boolean;
  /** Resolves when one may be begun, or nothing is to be begun any more. */
  ready(): Promise<void>;
}
