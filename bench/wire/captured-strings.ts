import type { BenchTenant } from '../fleet/tenants.ts';
import type { Conversation, Request } from './conversation.ts';

export interface CapturedStrings {
  /** Sent before the first tenant, on any connection: reading the fleet and recording the start. */
  readonly opening: readonly string[];
  /** Per connection that served tenants: session settings, and the tenants' strings in order. */
  readonly connections: readonly {
    readonly session: readonly string[];
    readonly tenants: readonly string[];
  }[];
  /** Tenants without a string, because parameters were bound. */
  readonly missing: readonly BenchTenant[];
}

/**
 * Finds the strings that serve one tenant: simple queries between two idle states that name one schema of the
 * fleet. Spans with bound parameters are excluded, because psql 15 cannot bind any.
 */
export function capturedStrings(
  conversations: readonly Conversation[],
  fleet: readonly BenchTenant[],
): CapturedStrings {
  const schemas = new Set(fleet.map(({ schema }) => schema));
  const opening: string[] = [];
  const connections: { session: string[]; tenants: string[] }[] = [];
  const served = new Set<string>();
  for (const { requests } of conversations) {
    const session: string[] = [];
    const tenants: string[] = [];
    for (const span of spansOf(requests)) {
      const texts = span.flatMap(({ text }) => (text === undefined ? [] : [text]));
      const named = new Set(texts.flatMap((text) => schemasIn(text, schemas)));
      const [schema] = named;
      if (texts.length < span.length) continue;
      if (named.size === 1 && schema !== undefined) {
        tenants.push(...texts);
        served.add(schema);
      } else if (named.size === 0 && tenants.length === 0) {
        const isSetting = texts.every((text) => /^\s*set\s/i.test(text));
        (isSetting ? session : opening).push(...texts);
      }
    }
    if (tenants.length > 0) connections.push({ session, tenants });
  }
  return { opening, connections, missing: fleet.filter(({ schema }) => !served.has(schema)) };
}

function spansOf(requests: readonly Request[]): Request[][] {
  const spans: Request[][] = [];
  let span: Request[] = [];
  // The first request is the start-up.
  for (const request of requests.slice(1)) {
    span.push(request);
    if (request.isInTransaction === true) continue;
    spans.push(span);
    span = [];
  }
  return spans;
}

function schemasIn(text: string, schemas: ReadonlySet<string>): string[] {
  return (text.match(/tid_[0-9a-f]{10}/g) ?? []).filter((name) => schemas.has(name));
}
