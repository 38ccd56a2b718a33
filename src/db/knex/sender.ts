import { DatabaseError, type PoolClient } from 'pg';
import { messageOf } from '../../errors.ts';
import { asLoneStatement, onAnswer } from '../pg-internals.ts';
import type { CutUnreadable } from '../unreadable.ts';
import type { Recording } from './recording.ts';
import type { Around, FailedStatement, SentStatement } from './statement.ts';
import type { StatementsAhead } from './statements-ahead.ts';
import { unread } from './unread.ts';

export interface SendOptions {
  readonly cut: CutUnreadable;
  /** Called with every statement before it is sent. */
  readonly onStatement: (statement: SentStatement) => void;
  /** Wraps the sending of each statement, for example to change settings around it. It may leave it out. */
  readonly around: Around;
  /** Records the statements, and what could make them differ for another tenant. */
  readonly recording: Recording | undefined;
}

/** Sends the statements of a migration, and notes what becomes of them. */
export class Sender {
  readonly failures: FailedStatement[] = [];
  hasSent = false;
  /** Settles with the statement in flight. */
  inFlight: Promise<unknown> = Promise.resolve();
  readonly #client: PoolClient;
  readonly #options: SendOptions;
  readonly #ahead: StatementsAhead | undefined;

  constructor(client: PoolClient, options: SendOptions, ahead: StatementsAhead | undefined) {
    this.#client = client;
    this.#options = options;
    this.#ahead = ahead;
  }

  /** @param config as pg takes it @param isRaw whether Knex built it from raw SQL */
  async send(config: unknown, isRaw: boolean): Promise<unknown> {
    const { text = '', values = [] } = asConfig(config);
    const lone = values.length > 0 ? undefined : await this.#options.cut(text);
    if (lone === undefined) return this.#deliver(config, { text, values }, isRaw);
    const results: unknown[] = [];
    for (const statement of lone) {
      const query = asLoneStatement(statement.text, asConfig(config));
      results.push(await this.#deliver(query, { text: statement.text, values }, isRaw));
    }
    // As pg answers a text of several statements.
    return results.length === 1 ? results[0] : results;
  }

  async #deliver(config: unknown, statement: SentStatement, isRaw: boolean): Promise<unknown> {
    const { onStatement, recording, around } = this.#options;
    const { text } = statement;
    this.hasSent = true;
    onStatement(statement);
    const query = () => this.#client.query(config as never) as Promise<unknown>;
    const recorded = async (by: Recording) => {
      const sent = by.sent(statement);
      const stop = onAnswer(this.#client, (message) => sent.answer.take(message));
      const answer = await query().finally(stop);
      return by.dependence === undefined ? unread(answer, by, sent, isRaw) : answer;
    };
    const send = () => around(text, () => (recording === undefined ? query() : recorded(recording)));
    try {
      const answer = this.#ahead === undefined ? send() : this.#ahead.send(text, send);
      this.inFlight = answer.catch(() => {});
      return await answer;
    } catch (error) {
      recording?.depends('a statement failed');
      // 25P02: an earlier statement aborted the transaction.
      if (!(error instanceof DatabaseError && error.code === '25P02'))
        this.failures.push({ ...statement, error, message: messageOf(error) });
      throw error;
    }
  }
}

export function asConfig(config: unknown): Partial<SentStatement> {
  return typeof config === 'string' ? { text: config } : (config as Partial<SentStatement>);
}
