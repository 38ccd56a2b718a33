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

/** A stream that was not read to its end would hold the connection. */
export function closeStream(stream: Submittable): void {
  const { destroy, close } = stream as { destroy?: () => void; close?: () => unknown };
  if (destroy !== undefined) destroy.call(stream);
  else close?.call(stream);
}
