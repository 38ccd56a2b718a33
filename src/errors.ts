import type { ErrorCode } from './error-code.ts';
import { bounded } from './bounded.ts';
import { isError } from './is-error.ts';
import { createConcealer, maskSecrets, plainCause, secretsIn } from './secrets.ts';
import { passingOf } from './transient.ts';

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
  /** `file:line:column` in the migration or a module that it imports, relative to the migration's folder. */
  readonly at?: string | undefined;
  /** The number of the run that it ended. */
  readonly run?: number | undefined;
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
  /** The offset in `statement` that remains visible if it is cut. */
  readonly offset?: number | undefined;
}

export interface ErrorReport extends ErrorFacts {
  readonly code: ErrorCode;
  readonly message: string;
  /** Reports contain it only if true. */
  readonly retryable?: boolean | undefined;
}

/** The only error that tenantctl throws on purpose. It never contains a secret. */
export class TenantctlError extends Error implements ErrorReport {
  // Bundlers rename classes, and Node prints an uncaught error with the name of its class.
  static readonly name = 'TenantctlError';
  override readonly name = 'TenantctlError';
  readonly code: ErrorCode;
  /**
   * Whether the same call may succeed later although nobody corrects anything: the server could not be
   * reached, a lock was held, another run was at work. False for a wrong argument, file or configuration.
   */
  readonly retryable: boolean;
  declare readonly hint: ErrorFacts['hint'];
  declare readonly sqlstate: ErrorFacts['sqlstate'];
  declare readonly tenant: ErrorFacts['tenant'];
  declare readonly migration: ErrorFacts['migration'];
  declare readonly at: ErrorFacts['at'];
  declare readonly run: ErrorFacts['run'];
  declare readonly statement: ErrorFacts['statement'];
  declare readonly details: ErrorFacts['details'];
  declare readonly blockedBy: ErrorFacts['blockedBy'];
  declare readonly invalidIndexes: ErrorFacts['invalidIndexes'];

  /** Masks everything that looks like a secret, and cuts each text to a length that can be shown and stored. */
  constructor(code: ErrorCode, message: string, { cause, offset, ...facts }: ErrorDetails = {}) {
    const { statement } = facts;
    // The server's message may repeat a secret from the statement.
    const conceal = createConcealer(statement === undefined ? [] : secretsIn(statement));
    const clean = (text: string) => bounded(text, conceal);
    super(clean(message), cause === undefined ? undefined : { cause: plainCause(cause, clean, own) });
    this.code = code;
    const shown = statement && bounded(statement, maskSecrets, offset);
    Object.assign(this, factsOf({ ...facts, statement: shown }, clean));
    this.retryable = passingOf(this) !== undefined;
  }

  /** By name: a process may contain this class twice, as an ES module and as CommonJS, or in a bundle. */
  static override [Symbol.hasInstance](value: unknown): value is TenantctlError {
    return (value as Partial<TenantctlError> | null | undefined)?.name === 'TenantctlError';
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

  /** Adds what was unknown where it was thrown. Existing facts are kept; `details` get more lines. */
  with(more: ErrorDetails): TenantctlError {
    const { code, message, retryable: _, ...facts } = this.toJSON();
    const cause = this.cause ?? more.cause;
    const lines = [...(facts.details ?? []), ...(more.details ?? [])];
    const details = lines.length > 0 ? lines : undefined;
    const merged = new TenantctlError(code, message, { ...more, ...facts, details, cause });
    if (this.stack !== undefined) merged.stack = this.stack;
    return merged;
  }

  /** Plain data without the cause, for JSON documents and failure records. */
  toJSON(): ErrorReport {
    const { code, message, retryable } = this;
    return { code, message, ...(retryable && { retryable }), ...factsOf(this, maskSecrets) };
  }
}

/** The facts that there are, without secrets. */
function factsOf(facts: ErrorFacts, conceal: (text: string) => string): ErrorFacts {
  const concealed: ErrorFacts = {
    hint: facts.hint && conceal(facts.hint),
    sqlstate: facts.sqlstate,
    tenant: facts.tenant && maskSecrets(facts.tenant),
    migration: facts.migration,
    at: facts.at,
    run: facts.run,
    statement: facts.statement && conceal(facts.statement),
    details: facts.details?.map(conceal),
    blockedBy: facts.blockedBy?.map((blocker) => ({
      ...blocker,
      query: blocker.query && conceal(blocker.query),
    })),
    invalidIndexes: facts.invalidIndexes,
  };
  return Object.fromEntries(Object.entries(concealed).filter(([, value]) => value !== undefined));
}

/** tenantctl's own errors have no secrets. */
function own(error: Error): Error | undefined {
  return error instanceof TenantctlError ? error : undefined;
}

/** Wraps any thrown value, with the value as cause: FILE_UNUSABLE, or INTERNAL. A TenantctlError stays itself. */
export function toTenantctlError(thrown: unknown): TenantctlError {
  if (thrown instanceof TenantctlError) return thrown;
  return new TenantctlError(isFileError(thrown) ? 'FILE_UNUSABLE' : 'INTERNAL', messageOf(thrown), {
    hint: isFileError(thrown)
      ? 'Something else is at that path, or you may not read or write there. Correct that, and run the command again.'
      : undefined,
    cause: thrown,
  });
}

/** An error of node:fs: its message names the path (https://nodejs.org/api/errors.html#errorpath). */
function isFileError(thrown: unknown): boolean {
  if (!isError(thrown)) return false;
  const { path, syscall } = thrown as NodeJS.ErrnoException;
  return path !== undefined && syscall !== undefined && !syscall.startsWith('spawn');
}

/** The message of any thrown value, even one that cannot become a string. */
export function messageOf(thrown: unknown): string {
  if (isError(thrown)) return thrown.message;
  try {
    return String(thrown);
  } catch {
    return 'a value was thrown that cannot be shown';
  }
}
