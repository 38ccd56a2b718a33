import type { PoolClient } from 'pg';
import type { SharedKnex } from '../../db/knex/knex-session.ts';
import type { Recording } from '../../db/knex/recording.ts';
import type { CutUnreadable } from '../../db/unreadable.ts';
import type { Around, SentStatement } from '../../db/knex/statement.ts';
import type { Direction, Migration } from '../files/load.ts';
import type { StatementCheck } from '../guard/statement-check.ts';
import type { Target } from '../target/target.ts';

export interface ActionOptions {
  readonly target: Target;
  readonly direction: Direction;
  readonly onStatement?: ((statement: SentStatement) => void) | undefined;
  /** Returns what earlier migrations of the transaction have sent. */
  readonly earlier?: () => readonly string[];
  /** Sends each statement; sent as is if absent. */
  readonly around?: Around | undefined;
  readonly recording?: Recording | undefined;
  /** The Knex of its transaction. */
  readonly shared?: SharedKnex | undefined;
  /** Settles with what was sent before it and is not answered yet. If that fails, so does everything after it. */
  readonly behind?: Promise<unknown> | undefined;
}

/** A migration that is about to run. */
export interface ActionCall extends ActionOptions {
  readonly around: Around;
  readonly client: PoolClient;
  readonly migration: Migration;
  readonly inTransaction: boolean;
  /** It has sent nothing to an earlier target of the run. */
  readonly sendsNothing: boolean;
  readonly check: StatementCheck;
  readonly onStatement: (statement: SentStatement) => void;
  /** Cuts a text that may control the transaction and cannot be read: see CutUnreadable. */
  readonly cut: CutUnreadable;
  /** As in Capabilities. */
  readonly acceptsAnyInStrings: boolean;
}
