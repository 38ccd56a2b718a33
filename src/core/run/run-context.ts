import { setImmediate as nextTurn } from 'node:timers/promises';
import pLimit from 'p-limit';
import { createKnexFactory, type KnexFactory } from '../../db/knex/knex-session.ts';
import { createReadStatements, type ReadStatements } from '../statements/read-statements.ts';
import { createDigests } from '../code/code-files.ts';
import { examineCode } from '../code/examine-code.ts';
import type { CodeVerdict } from '../code/verdict.ts';
import type { LoadedHooks } from '../files/load-hooks.ts';
import { loadMigration, type Direction, type Migration } from '../files/load.ts';
import { stemOf, type MigrationFile, type MigrationFolder } from '../files/source.ts';
import { recordFiles } from '../state/checksums.ts';
import { TenantctlError, toTenantctlError } from '../../errors.ts';
import { NOTHING_KEPT, type KeptRecordings } from '../recordings/kept-recordings.ts';
import { DEFAULT_RETRIES } from './retry.ts';
import type { RecordedRun } from '../ledger/recorded-run.ts';
import type { Database } from '../../db/database.ts';
import { createNotices, type Notices } from '../report/notices.ts';
import { maskSecrets } from '../../secrets.ts';

export interface RunOptions {
  /** Milliseconds that a migration's statement may wait for a lock; 0 for no limit. */
  readonly lockTimeoutMs?: number | undefined;
  /** Milliseconds that a migration's statement may take; the server's default if absent, 0 for no limit. */
  readonly statementTimeoutMs?: number | undefined;
  /** How often a tenant is retried after a transient error (src/core/run/retry.ts); 6 if absent. */
  readonly retries?: number | undefined;
  /**
   * The role that owns a tenant's schema and runs its migrations; `{schema}` stands for the schema's name. If
   * absent, migrations run as the login role.
   */
  readonly tenantRole?: string | undefined;
  /** The folder of the tenants' repeatable scripts; none if absent. */
  readonly repeatableFolder?: string | undefined;
  /** Milliseconds to wait for another run on the same schema. */
  readonly lockWaitMs?: number | undefined;
  /** Aborting it stops the run: no new work is started, running work finishes. */
  readonly signal?: AbortSignal | undefined;
  /** How many runs of the command, and as many with nothing to do, the ledger keeps; 100 if absent. */
  readonly keepRuns?: number | undefined;
  /** Unless false, what the migrations of tenants send is kept, and sent at once by later runs. */
  readonly recordings?: boolean | undefined;
  /** What the run belongs to, such as a commit or a CI job: the ledger keeps the first 200 characters. */
  readonly runLabel?: string | undefined;
}

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
  /** The run in the ledger; nothing is recorded if it is absent or not started. */
  readonly run: Pick<RecordedRun, 'id'> | undefined;
  /** @param file a loaded migration, whose Knex is used if it has one */
  readonly knex: (file: MigrationFile) => Promise<KnexFactory>;
  /** Loads a file once: what changes in the folder while the command runs has no effect on it. */
  readonly load: (file: MigrationFile) => Promise<Migration>;
  /** Examines a migration's code once. */
  readonly examine: (file: MigrationFile) => Promise<CodeVerdict>;
  /** What earlier runs have kept. */
  readonly kept: KeptRecordings;
  /** What the run's command calls for each tenant; absent if there is no hooks file. */
  readonly hooks?: LoadedHooks | undefined;
  readonly readStatements: ReadStatements;
  /** For each migration that was run: whether any target was sent a statement by it. */
  readonly sent: Readonly<Record<Direction, Map<string, boolean>>>;
  /** Warnings that the run gives at its end, each once. */
  readonly warnings: Set<string>;
  /** What the server said while migrations ran. */
  readonly notices: Notices;
}

export const DEFAULT_LOCK_TIMEOUT_MS = 5_000;
const DEFAULT_LOCK_WAIT_MS = 60_000;
/** Files that are open at once. */
const LOADED_AT_ONCE = 64;

/** @throws TenantctlError TENANT_ROLE_UNUSABLE on a cluster */
export function createRunContext(
  database: Database,
  options: RunOptions = {},
  run?: Pick<RecordedRun, 'id'>,
  kept: KeptRecordings = NOTHING_KEPT,
): RunContext {
  refuseRoles(database, options);
  let factory: Promise<KnexFactory> | undefined;
  const migrations = new Map<string, Promise<Migration>>();
  const verdicts = new Map<string, Promise<CodeVerdict>>();
  const digests = database.remember(createDigests);
  const limit = pLimit(LOADED_AT_ONCE);
  // One in each turn of the event loop: meanwhile the server has answered.
  const oneByOne = pLimit(1);
  const inTurn = <T>(work: () => Promise<T>) => oneByOne(() => nextTurn().then(work));
  return {
    database,
    lockTimeoutMs: options.lockTimeoutMs ?? DEFAULT_LOCK_TIMEOUT_MS,
    statementTimeoutMs: options.statementTimeoutMs,
    retries: options.retries ?? DEFAULT_RETRIES,
    lockWaitMs: options.lockWaitMs ?? DEFAULT_LOCK_WAIT_MS,
    tenantRole: options.tenantRole,
    signal: options.signal,
    run,
    kept,
    examine(file) {
      const verdict = verdicts.get(file.path) ?? inTurn(() => examineCode(file, digests));
      verdicts.set(file.path, verdict);
      return verdict;
    },
    readStatements: createReadStatements(),
    sent: { up: new Map(), down: new Map() },
    warnings: new Set(),
    notices: createNotices((text) => maskSecrets(database.conceal(text))),
    knex: ({ path }) => (factory ??= createKnexFactory(path)),
    load(file) {
      const earlier = migrations.get(file.path);
      if (earlier !== undefined) return earlier;
      // Loading runs the file's top level, which may throw anything, secrets included.
      const loading = limit(loadMigration, file).catch((error: unknown) => {
        throw toTenantctlError(error).concealing(database.conceal);
      });
      migrations.set(file.path, loading);
      return loading;
    },
  };
}

/** What decides how a migration is carried out. */
export type Traits = Pick<Migration, 'file' | 'upInTransaction' | 'downInTransaction' | 'allowOutside'>;

/** A migration whose recording is kept is not loaded: only one within a transaction and its schema is kept. */
export async function traitsOf(
  { kept, load }: Pick<RunContext, 'kept' | 'load'>,
  file: MigrationFile,
  direction: Direction,
): Promise<Traits> {
  if (!kept.replays(file, direction)) return load(file);
  return { file, upInTransaction: true, downInTransaction: true, allowOutside: [] };
}

/** Records the checksums of the applied files as they were loaded. @param names as in the folder */
export async function recordLoaded(
  { database, kept, load }: Pick<RunContext, 'database' | 'kept' | 'load'>,
  scope: 'master' | 'tenants',
  { files }: MigrationFolder,
  names: readonly string[],
): Promise<void> {
  const stems = new Set(names.map(stemOf));
  const applied = files.filter(({ stem }) => stems.has(stem));
  const checksums = applied.map(async (file) => {
    const { checksum } = kept.of(file, 'up') ?? (await load(file));
    return { file, checksum };
  });
  await recordFiles(database, scope, await Promise.all(checksums));
}

/** No new work may start: the run was stopped, its database closed, or the failure limit exceeded. */
export function isStopped(context: Pick<RunContext, 'database' | 'signal' | 'failureLimit'>): boolean {
  const { database, signal, failureLimit } = context;
  return signal?.aborted === true || database.isCancelled || failureLimit?.isOpen === true;
}

/** Opens when too many tenants have failed: no new work is started, running work finishes. */
export interface FailureLimit {
  readonly isOpen: boolean;
  failed(): void;
  /** Whether it would be open after this many more failures. */
  wouldOpen(more: number): boolean;
}

/** Delays tenants that are about to start. */
export interface Throttle {
  readonly isHeld: boolean;
  /** Resolves when a tenant may start, or when the run is stopped. */
  ready(): Promise<void>;
}

/** Citus refuses a transaction in which two roles change what a node has (25001): the history is tenantctl's, not the tenant's. */
function refuseRoles({ hasNodes }: Pick<Database, 'hasNodes'>, { tenantRole }: RunOptions): void {
  if (!hasNodes || tenantRole === undefined) return;
  throw new TenantctlError(
    'TENANT_ROLE_UNUSABLE',
    'On a Citus cluster, migrations cannot run as a role of their tenant: a transaction there changes tables as one role only.',
    { hint: 'Unset TENANT_ROLE. tenantctl grant application gives the application its rights.' },
  );
}
