export interface SentStatement {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** A failed statement with the server's message. Knex would put statement and values in front. */
export interface FailedStatement extends SentStatement {
  readonly error: unknown;
  readonly message: string;
  /** Its place in the source, if known: `file:line:column`. */
  readonly at?: string | undefined;
}

/** What was observed of a migration's statements. */
export interface Seen {
  /** In order; without those that failed only because the transaction was already aborted (25P02). */
  readonly failures: readonly FailedStatement[];
  readonly hasSent: boolean;
}

/** A migration ended its Knex transaction, or tried to. */
export class TransactionEndedError extends Error {
  override readonly name = 'TransactionEndedError';
  constructor(cause?: unknown) {
    super('The migration ended its transaction itself.', { cause });
  }
}

/** A statement was refused before sending; `cause` is the reason. */
export class StatementRefusedError extends Error {
  override readonly name = 'StatementRefusedError';
  constructor(reason: unknown) {
    super('The statement was refused.', { cause: reason });
  }
}

export type Around = <T>(text: string, send: () => Promise<T>) => Promise<T>;
