export interface SentStatement {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** A failed statement with the server's message. Knex would put statement and values in front. */
export interface FailedStatement extends SentStatement {
  readonly error: unknown;
  readonly message: string;
  /** Of an .sql migration: its place, `file:line:column`, and the line of the file where its text begins. */
  readonly at?: string | undefined;
  readonly line?: number | undefined;
  /** What the server marks, as an offset in the text; by default from the error. */
  readonly offset?: number | undefined;
}

/** What was observed of a migration's statements. */
export interface Seen {
  /** In order; without those that failed only because the transaction was already aborted (25P02). */
  readonly failures: readonly FailedStatement[];
  readonly hasSent: boolean;
  /**
   * Call it before the migration is recorded: later statements reject.
   * @throws NotWaitedForError, or an error that no caller was given
   */
  finish(): void;
}

export const AWAIT_ALL =
  'Await or return every query and promise: forEach(async ...) and a callback wait for nothing; for ... of and Promise.all do.';

/** Nobody waited for what a migration built or started. */
export class NotWaitedForError extends Error {
  override readonly name = 'NotWaitedForError';
  readonly problem: string;
  readonly text: string | undefined;
  /** @param problem in words that follow the migration's name @param text of the statement, if there is one */
  constructor(problem: string, text?: string) {
    super(`The migration ${problem}.`);
    this.problem = problem;
    this.text = text;
  }
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
