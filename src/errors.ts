import { createConcealer, maskSecrets, plainCause, secretsIn } from './secrets.ts';

/**
 * Every way in which tenantctl can refuse or fail. Programs may rely on these names: they stand in the JSON
 * documents, and each has one exit code (src/cli/run/exit-code.ts).
 */
export type ErrorCode =
  // usage
  | 'USAGE'
  | 'CONFIRMATION_REQUIRED'
  | 'CONCURRENCY_TOO_HIGH'
  | 'CHECK_INVALID'
  // configuration
  | 'CONFIG_INVALID'
  | 'EMBEDDED_UNAVAILABLE'
  | 'DIRECT_URL_MISMATCH'
  // connection
  | 'CONNECTION_FAILED'
  | 'LOGIN_FAILED'
  | 'DATABASE_MISSING'
  | 'TLS_FAILED'
  | 'POOLER_EXHAUSTED'
  | 'POOL_EXHAUSTED'
  | 'DATABASE_CLOSED'
  // locks
  | 'LOCK_TIMEOUT'
  // checks and interruption
  | 'CHECK_FAILED'
  | 'DOCTOR_FAILED'
  | 'INTERRUPTED'
  // the database as it is
  | 'SERVER_UNSUPPORTED'
  | 'SERVER_READ_ONLY'
  | 'STATE_NEWER'
  | 'REGISTRY_ABSENT'
  | 'REGISTRY_INVALID'
  | 'NAMES_DIFFER'
  | 'REGISTRY_IN_USE'
  | 'EXTENSION_UNAVAILABLE'
  | 'POOLER_UNSUPPORTED'
  | 'REPLICA_LAG_UNKNOWN'
  | 'DATABASE_ERROR'
  // tenants
  | 'ORGANIZATION_ID_INVALID'
  | 'TENANT_UNKNOWN'
  | 'TENANT_NOT_ACTIVE'
  | 'TENANT_AMBIGUOUS'
  | 'TENANT_ROLE_UNUSABLE'
  | 'SCHEMA_MISSING'
  | 'SCHEMA_NAME_TAKEN'
  | 'SCHEMA_UNREGISTERED'
  | 'TENANTS_FAILED'
  | 'CHECK_REFUSED'
  | 'ROLLOUT_STOPPED'
  // migration files and histories
  | 'MIGRATIONS_FOLDER_MISSING'
  | 'MIGRATIONS_FOLDER_EMPTY'
  | 'MIGRATION_NAME_INVALID'
  | 'MIGRATION_DUPLICATE'
  | 'MIGRATION_INVALID'
  | 'MIGRATION_UNKNOWN'
  | 'MIGRATION_FILE_MISSING'
  | 'MIGRATION_OUT_OF_ORDER'
  | 'HISTORY_NEWER'
  | 'HISTORY_CHANGED'
  | 'MIGRATION_IRREVERSIBLE'
  | 'MIGRATION_FAILED'
  | 'MIGRATION_OUTSIDE_SCHEMA'
  | 'MIGRATION_INTERRUPTED'
  | 'NOTHING_TO_RESOLVE'
  | 'INIT_MIGRATION_MISSING'
  | 'MASTER_PENDING'
  | 'KNEX_LOCKED'
  // the ledger of runs
  | 'RUN_UNKNOWN'
  | 'RUN_AT_WORK'
  | 'RUN_IRREVERSIBLE'
  | 'RUN_SUPERSEDED'
  | 'FILE_EXISTS'
  | 'INTERNAL';

/** Who held a lock that somebody else waited for, as pg_stat_activity shows it. */
export interface Blocker {
  /** 0 for a prepared transaction, which has no process: `query` has its name. */
  readonly pid: number;
  readonly user: string | null;
  readonly application: string | null;
  readonly state: string | null;
  /** Its last statement, shortened; PostgreSQL tells only of queries that this role may see. */
  readonly query: string | null;
  /** The processes that it waits for itself; they are in the list as well. */
  readonly waitsFor?: readonly number[];
}

/** An index that CREATE INDEX CONCURRENTLY has left behind unfinished: it costs every write and serves no query. */
export interface InvalidIndex {
  readonly schema: string;
  readonly name: string;
  readonly table: string;
  /** The statement that removes it. */
  readonly remedy: string;
}

/** What an error can say beside its message; everything is optional and none of it ever holds a secret. */
export interface ErrorDetails {
  /** What to do next, in words that work when followed. */
  readonly hint?: string | undefined;
  /** The five characters of PostgreSQL's error code. */
  readonly sqlstate?: string | undefined;
  /** The organization id (or, where there is none, the schema) of the tenant at hand. */
  readonly tenant?: string | undefined;
  /** The file name of the migration at hand. */
  readonly migration?: string | undefined;
  /** The SQL that the server refused, with placeholders instead of bound values. */
  readonly statement?: string | undefined;
  /** Further lines for people: each problem of several, or the place in the statement. */
  readonly details?: readonly string[] | undefined;
  /** Who held the lock that was waited for in vain. */
  readonly blockedBy?: readonly Blocker[] | undefined;
  /** Indexes of the tenant's schema that were left INVALID. */
  readonly invalidIndexes?: readonly InvalidIndex[] | undefined;
  readonly cause?: unknown;
}

/** An error as it stands in a JSON document. */
export interface ErrorReport {
  code: ErrorCode;
  message: string;
  hint?: string;
  sqlstate?: string;
  tenant?: string;
  migration?: string;
  statement?: string;
  details?: readonly string[];
  blockedBy?: readonly Blocker[];
  invalidIndexes?: readonly InvalidIndex[];
}

/** The only error that tenantctl throws on purpose. */
export class TenantctlError extends Error {
  override readonly name = 'TenantctlError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly sqlstate: string | undefined;
  readonly tenant: string | undefined;
  readonly migration: string | undefined;
  readonly statement: string | undefined;
  readonly details: readonly string[] | undefined;
  readonly blockedBy: readonly Blocker[] | undefined;
  readonly invalidIndexes: readonly InvalidIndex[] | undefined;

  /** What has the form of a secret is masked, wherever it stands. */
  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    // A server may repeat what a statement holds.
    const conceal = createConcealer(details.statement === undefined ? [] : secretsIn(details.statement));
    super(
      conceal(message),
      details.cause === undefined ? undefined : { cause: plainCause(details.cause, conceal, own) },
    );
    this.code = code;
    this.hint = concealed(details.hint, conceal);
    this.sqlstate = details.sqlstate;
    this.tenant = concealed(details.tenant, maskSecrets);
    this.migration = details.migration;
    this.statement = concealed(details.statement, conceal);
    this.details = details.details?.map(conceal);
    this.blockedBy = details.blockedBy?.map((blocker) => ({
      ...blocker,
      query: blocker.query === null ? null : maskSecrets(blocker.query),
    }));
    this.invalidIndexes = details.invalidIndexes;
  }

  /** The same error without the secrets that `conceal` knows; itself where there are none in it. */
  concealing(conceal: (text: string) => string): TenantctlError {
    const statement = concealed(this.statement, conceal);
    const merged = new TenantctlError(this.code, conceal(this.message), {
      hint: concealed(this.hint, conceal),
      sqlstate: this.sqlstate,
      tenant: this.tenant,
      migration: this.migration,
      statement,
      // Where the statement holds one, the part of it that is shown may hold a part.
      details: (statement === this.statement
        ? this.details
        : this.details?.filter((line) => !/^(?:line \d+: | *\^$)/.test(line))
      )?.map(conceal),
      blockedBy: this.blockedBy?.map((blocker) => ({
        ...blocker,
        query: blocker.query === null ? null : conceal(blocker.query),
      })),
      invalidIndexes: this.invalidIndexes,
      cause: plainCause(this.cause, conceal, (error) =>
        error instanceof TenantctlError ? error.concealing(conceal) : undefined,
      ),
    });
    if (this.stack !== undefined) merged.stack = conceal(this.stack);
    const isSame =
      merged.cause === this.cause &&
      merged.stack === this.stack &&
      JSON.stringify(merged) === JSON.stringify(this);
    return isSame ? this : merged;
  }

  /** The same error, with what was unknown where it was thrown; what it says already is kept. */
  with(details: ErrorDetails): TenantctlError {
    const merged = new TenantctlError(this.code, this.message, {
      hint: this.hint ?? details.hint,
      sqlstate: this.sqlstate ?? details.sqlstate,
      tenant: this.tenant ?? details.tenant,
      migration: this.migration ?? details.migration,
      statement: this.statement ?? details.statement,
      details: this.details ?? details.details,
      blockedBy: this.blockedBy ?? details.blockedBy,
      invalidIndexes: this.invalidIndexes ?? details.invalidIndexes,
      cause: this.cause ?? details.cause,
    });
    if (this.stack !== undefined) merged.stack = this.stack;
    return merged;
  }

  /** The error as plain data, for a JSON document or the record of a failure; without the cause. */
  toJSON(): ErrorReport {
    return {
      code: this.code,
      message: this.message,
      ...(this.hint !== undefined && { hint: this.hint }),
      ...(this.sqlstate !== undefined && { sqlstate: this.sqlstate }),
      ...(this.tenant !== undefined && { tenant: this.tenant }),
      ...(this.migration !== undefined && { migration: this.migration }),
      ...(this.statement !== undefined && { statement: this.statement }),
      ...(this.details !== undefined && { details: this.details }),
      ...(this.blockedBy !== undefined && { blockedBy: this.blockedBy }),
      ...(this.invalidIndexes !== undefined && { invalidIndexes: this.invalidIndexes }),
    };
  }
}

function concealed(text: string | undefined, conceal: (text: string) => string): string | undefined {
  return text === undefined ? undefined : conceal(text);
}

/** An error of tenantctl's own is without secrets already. */
function own(error: Error): Error | undefined {
  return error instanceof TenantctlError ? error : undefined;
}

/** Any thrown value as a TenantctlError; what is not one already becomes INTERNAL, with the value as its cause. */
export function toTenantctlError(thrown: unknown): TenantctlError {
  if (thrown instanceof TenantctlError) return thrown;
  return new TenantctlError('INTERNAL', messageOf(thrown), { cause: thrown });
}

/** The message of any thrown value; a value that cannot become a string has one, too. */
export function messageOf(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message;
  try {
    return String(thrown);
  } catch {
    return 'a value was thrown that cannot be shown';
  }
}
