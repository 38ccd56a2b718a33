import type { Submittable } from 'pg';
import { examineStatement } from './examine-statement.ts';
import { scan } from './scan.ts';

/** Cursors, query streams and COPY streams. They send their text themselves. */
export function isSubmittable(given: unknown): given is Submittable {
  return typeof (given as Partial<Submittable> | null)?.submit === 'function';
}

/** Why a call may not send a stream; undefined if it may. Pure. */
export function refusalOfStream(stream: Submittable): { reason: string; text: string } | undefined {
  const {
    text: own,
    cursor,
    name,
  } = stream as {
    text?: unknown;
    cursor?: { text?: unknown };
    name?: unknown;
  };
  const text = own ?? cursor?.text;
  if (typeof text !== 'string') return { reason: 'its text is not known', text: '' };
  const reason = reasonAgainst(text, name);
  return reason === undefined ? undefined : { reason, text };
}

function reasonAgainst(text: string, name: unknown): string | undefined {
  if (name !== undefined && name !== null)
    return 'a named statement stays in the session: leave out the name';
  if (/;\s*\S/.test(scan(text).code)) return 'a stream is one statement';
  const { refusal, settings, changesOthers } = examineStatement(text);
  if (refusal !== undefined) return refusal;
  return settings.length > 0 || changesOthers
    ? 'it may change settings: send it without a stream'
    : undefined;
}

/**
 * Closes a stream that was not read to its end.
 * @returns whether the connection is free. It is not after half a COPY: that has to be ended by who began it.
 */
export async function closeStream(stream: Submittable): Promise<boolean> {
  const { readableEnded, writableFinished, cursor, destroy, close, on } = stream as Leftover;
  // Who has left the stream does not listen: the call's own error says it.
  on?.call(stream, 'error', () => {});
  if (cursor === undefined && (readableEnded === false || writableFinished === false)) return false;
  // A query stream has a cursor. The next statement must wait until it is closed.
  if (cursor === undefined) await close?.call(stream);
  else await cursor.close?.();
  destroy?.call(stream);
  return true;
}

/** What cursors and streams have of these. */
interface Leftover {
  readonly readableEnded?: boolean;
  readonly writableFinished?: boolean;
  readonly cursor?: { readonly close?: () => unknown };
  readonly destroy?: () => void;
  readonly close?: () => unknown;
  readonly on?: (name: 'error', listener: () => void) => void;
}
