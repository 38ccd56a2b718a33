/** A statement as it is sent to the server. */
export interface SentStatement {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** A statement that failed, with the server's own message: Knex puts the statement and its values before it. */
export interface FailedStatement extends SentStatement {
  readonly error: unknown;
  readonly message: string;
}

/** What has been seen of a migration's statements. */
export interface Seen {
  /** In their order; without those that an aborted transaction refused only because of an earlier one (25P02). */
  readonly failures: readonly FailedStatement[];
}

/** A migration committed or rolled back, or was about to. */
export class TransactionEndedError extends Error {
  override readonly name = 'TransactionEndedError';
  constructor(cause?: unknown) {
    super('The migration ended its transaction itself.', cause === undefined ? undefined : { cause });
  }
}

/** A migration would have acted as another role than the one that it was given. */
export class RoleChangedError extends Error {
  override readonly name = 'RoleChangedError';
  readonly statement: string;
  constructor(statement: string) {
    super('The migration changes its role itself.');
    this.statement = statement;
  }
}

/** A statement was refused before it was sent; the reason is the cause, as it was thrown. */
export class StatementRefusedError extends Error {
  override readonly name = 'StatementRefusedError';
  constructor(reason: unknown) {
    super('The statement was refused.', { cause: reason });
  }
}

/** Is given a statement's text and what sends it. */
export type Around = <T>(text: string, send: () => Promise<T>) => Promise<T>;
