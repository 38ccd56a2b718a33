/** A statement as it is sent to the server. */
export interface SentStatement {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** A statement that failed, with the server's message: Knex would put the statement and its values in front. */
export interface FailedStatement extends SentStatement {
  readonly error: unknown;
  readonly message: string;
}

/** What was observed of a migration's statements. */
export interface Seen {
  /** In order; without those that failed only because the transaction was already aborted (25P02). */
  readonly failures: readonly FailedStatement[];
}

/** A migration ended its Knex transaction, or tried to. */
export class TransactionEndedError extends Error {
  override readonly name = 'TransactionEndedError';
  constructor(cause?: unknown) {
    super('The migration ended its transaction itself.', { cause });
  }
}

/** A statement was refused before it was sent; `cause` is the reason. */
export class StatementRefusedError extends Error {
  override readonly name = 'StatementRefusedError';
  constructor(reason: unknown) {
    super('The statement was refused.', { cause: reason });
  }
}

/** Wraps the sending of a statement. */
export type Around = <T>(text: string, send: () => Promise<T>) => Promise<T>;
