import { messageOf } from '../../errors.ts';
import type { Observer } from '../report/event.ts';
import { recordFailures, type TenantFailure } from './record-in-run.ts';
import type { Database } from '../../db/database.ts';

/** Writes failures down as they come: one by one where they are few, many to a statement where many come at once. */
export interface FailureLog {
  add(failure: TenantFailure): void;
  /** Resolves when all is written that was added before. */
  written(): Promise<void>;
}

export function createFailureLog(
  database: Database,
  run: Parameters<typeof recordFailures>[1],
  work: Parameters<typeof recordFailures>[2] & { readonly observe: Observer },
): FailureLog {
  const waiting: TenantFailure[] = [];
  let writing: Promise<void> | undefined;
  const write = async () => {
    while (waiting.length > 0) {
      await recordFailures(database, run, work, waiting.splice(0)).catch((error: unknown) => {
        work.observe({ type: 'warning', message: `A failure could not be recorded: ${messageOf(error)}` });
      });
    }
    writing = undefined;
  };
  return {
    add(failure) {
      waiting.push(failure);
      writing ??= write();
    },
    async written() {
      await writing;
    },
  };
}
