import { createConcealer, maskSecrets, plainCause, secretsIn } from './secrets.ts';

/** Why tenantctl refuses or fails. A contract: the JSON documents use these, and each has one exit code. */
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

/** A holder of a contested lock, as in pg_stat_activity. */
export interface Blocker {
  /** 0 for a prepared transaction, which has no process: `query` is its name. */
  readonly pid: number;
  readonly user: string | null;
  readonly application: string | null;
  readonly state: string | null;
  /** Its last statement, shortened; null if this role may not see it. */
  readonly query: string | null;
  /** The processes that block it; they are also in the list. */
  readonly waitsFor?: readonly number[];
}

/** Left behind by a failed CREATE INDEX CONCURRENTLY: every write maintains it, and no query uses it. */
export interface InvalidIndex {
  readonly schema: string;
  readonly name: string;
  readonly table: string;
  readonly remedy: string;
}

/** What an error may contain besides its message. */
interface ErrorFacts {
  readonly hint?: string | undefined;
  /** SQLSTATE, five characters. */
  readonly sqlstate?: string | undefined;
  /** The tenant's organization id, or its schema if it has none. */
  readonly tenant?: string | undefined;
  readonly migration?: string | undefined;
  /** The refused SQL, with placeholders instead of bound values. */
  readonly statement?: string | undefined;
  /** More lines for people: each of several problems, or the position in the statement. */
  readonly details?: readonly string[] | undefined;
  /** Who held a lock that was not granted in time. */
  readonly blockedBy?: readonly Blocker[] | undefined;
  /** INVALID indexes left in the tenant's schema. */
  readonly invalidIndexes?: readonly InvalidIndex[] | undefined;
}

export interface ErrorDetails extends ErrorFacts {
  readonly cause?: unknown;
}

export interface ErrorReport extends ErrorFacts {
  readonly code: ErrorCode;
  readonly message: string;
}

/** The only error that tenantctl throws on purpose. It never contains a secret. */
export class TenantctlError extends Error implements ErrorReport {
  override readonly name = 'TenantctlError';
  readonly code: ErrorCode;
  declare readonly hint: ErrorFacts['hint'];
  declare readonly sqlstate: ErrorFacts['sqlstate'];
  declare readonly tenant: ErrorFacts['tenant'];
  declare readonly migration: ErrorFacts['migration'];
  declare readonly statement: ErrorFacts['statement'];
  declare readonly details: ErrorFacts['details'];
  declare readonly blockedBy: ErrorFacts['blockedBy'];
  declare readonly invalidIndexes: ErrorFacts['invalidIndexes'];

  /** Masks everything that looks like a secret. */
  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    // The server's message may repeat a secret from the statement.
    const conceal = createConcealer(details.statement === undefined ? [] : secretsIn(details.statement));
    super(
      conceal(message),
      details.cause === undefined ? undefined : { cause: plainCause(details.cause, conceal, own) },
    );
    this.code = code;
    Object.assign(this, factsOf(details, conceal));
  }

  /** The error without the secrets that `conceal` knows; itself if it has none. */
  concealing(conceal: (text: string) => string): TenantctlError {
    const facts = factsOf(this, conceal);
    const merged = new TenantctlError(this.code, conceal(this.message), {
      ...facts,
      // An excerpt of a statement with a secret may contain part of the secret.
      details:
        facts.statement === this.statement
          ? facts.details
          : facts.details?.filter((line) => !/^(?:line \d+: | *\^$)/.test(line)),
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

  /** Adds details that were unknown where it was thrown; existing ones are kept. */
  with(details: ErrorDetails): TenantctlError {
    const { code, message, ...facts } = this.toJSON();
    const cause = this.cause ?? details.cause;
    const merged = new TenantctlError(code, message, { ...details, ...facts, cause });
    if (this.stack !== undefined) merged.stack = this.stack;
    return merged;
  }

  /** Plain data without the cause, for JSON documents and failure records. */
  toJSON(): ErrorReport {
    const { code, message } = this;
    const facts = Object.entries(factsOf(this, maskSecrets)).filter(([, value]) => value !== undefined);
    return { code, message, ...Object.fromEntries(facts) };
  }
}

function factsOf(facts: ErrorFacts, conceal: (text: string) => string): ErrorFacts {
  return {
    hint: facts.hint && conceal(facts.hint),
    sqlstate: facts.sqlstate,
    tenant: facts.tenant && maskSecrets(facts.tenant),
    migration: facts.migration,
    statement: facts.statement && conceal(facts.statement),
    details: facts.details?.map(conceal),
    blockedBy: facts.blockedBy?.map((blocker) => ({
      ...blocker,
      query: blocker.query && conceal(blocker.query),
    })),
    invalidIndexes: facts.invalidIndexes,
  };
}

/** tenantctl's own errors have no secrets. */
function own(error: Error): Error | undefined {
  return error instanceof TenantctlError ? error : undefined;
}

/** Wraps any thrown value; INTERNAL, with the value as cause, if it is not a TenantctlError. */
export function toTenantctlError(thrown: unknown): TenantctlError {
  if (thrown instanceof TenantctlError) return thrown;
  return new TenantctlError('INTERNAL', messageOf(thrown), { cause: thrown });
}

/** The message of any thrown value, even one that cannot become a string. */
export function messageOf(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message;
  try {
    return String(thrown);
  } catch {
    return 'a value was thrown that cannot be shown';
  }
}
