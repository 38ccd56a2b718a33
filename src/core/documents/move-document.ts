import type { MoveResult } from '../tenant/move.ts';

export type MovedDocument = ReturnType<typeof movedDocument>;

/** `tenant move`. */
export function movedDocument({ run, ...result }: MoveResult) {
  return { ...(run !== undefined && { run }), ...result };
}
