import type { PoolClient } from 'pg';
import { knowsStatus } from '../../db/pg-internals.ts';
import type { StatementCheck } from '../guard/statement-check.ts';
import { CONTROL_WORDS, type Control } from '../statements/control-statements.ts';
import type { ReadStatements } from '../statements/read-statements.ts';
import { endedItself, foreignSavepoint, type FailedAction } from './action-failure.ts';

/**
 * Refuses a statement that would end the transaction, or that goes back to a savepoint, or releases one, that
 * the migration has not made itself: it could be tenantctl's.
 */
export function keepTransaction(
  client: PoolClient,
  readStatements: ReadStatements,
  action: FailedAction,
): StatementCheck {
  let made: Savepoints = { open: [], certain: 0 };
  let isSettled = true;
  return async (text) => {
    if (!isSettled) {
      if (!knowsStatus(client)) await client.query('');
      // It is unknown how much of a text was done before one of its statements failed.
      const open = client.getTransactionStatus() === 'E' ? made.open.slice(0, made.certain) : made.open;
      made = { open, certain: open.length };
    }
    const controls = CONTROL_WORDS.test(text) ? (await readStatements(text)).controls : [];
    isSettled = controls.length === 0;
    for (const control of controls) {
      if (control.kind === 'ends') throw endedItself(action);
      const next = afterControl(made, control);
      if (next === undefined) throw foreignSavepoint(action, control.name, text);
      made = next;
    }
  };
}

interface Savepoints {
  /** The names of those that are open, oldest first; a name may be used again. */
  readonly open: readonly string[];
  /** How many of them were open all through the last text. */
  readonly certain: number;
}

/** Pure. @returns undefined if the savepoint is not open */
function afterControl({ open, certain }: Savepoints, { kind, name }: Control): Savepoints | undefined {
  if (kind === 'savepoint') return { open: [...open, name], certain };
  const at = open.lastIndexOf(name);
  if (at === -1) return undefined;
  const left = open.slice(0, kind === 'release' ? at : at + 1);
  return { open: left, certain: Math.min(certain, left.length) };
}
