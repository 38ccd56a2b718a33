/** The allowed integers of a flag, variable or library option. */
export interface Range {
  readonly least: number;
  readonly most: number;
  readonly unit?: string;
}

/** PostgreSQL's timeouts have this range: https://www.postgresql.org/docs/current/runtime-config-client.html */
export const MILLISECONDS: Range = { least: 0, most: 2_147_483_647, unit: 'milliseconds' };
/** Parallel tenants, runs to keep, runs to list. */
export const COUNT: Range = { least: 1, most: 10_000 };
/** A difference from the average. */
export const PERCENT: Range = { least: 0, most: 100 };
/** Batches of a tenant, rows per second. */
export const LARGE_COUNT: Range = { least: 1, most: 999_999_999 };
export const RETRIES: Range = { least: 0, most: 100 };
export const RUN_NUMBER: Range = { least: 1, most: 999_999_999_999_999 };
/** A week. May be fractional. */
export const MAX_PAUSE_MS = 604_800_000;

export const VECTOR_EXTENSION_MODES = ['auto', 'require', 'off'] as const;

export function isWithin(value: unknown, { least, most }: Range): value is number {
  return Number.isInteger(value) && Number(value) >= least && Number(value) <= most;
}

/** Parses a text of digits; undefined if invalid or out of range. */
export function parseWhole(text: string, range: Range): number | undefined {
  return /^\d+$/.test(text) && isWithin(Number(text), range) ? Number(text) : undefined;
}

/** "a whole number of milliseconds from 0 to 2147483647" */
export function described({ least, most, unit }: Range): string {
  return `a whole number${unit === undefined ? '' : ` of ${unit}`} from ${least} to ${most}`;
}

/** Whether a value is `{ count }` or `{ percent }`. @param least minimum count; 0 also allows 0 % */
export function isShare(value: unknown, least: 0 | 1): boolean {
  const { count, percent } = Object(value) as { readonly count?: unknown; readonly percent?: unknown };
  if (count !== undefined) return isWithin(count, { least, most: 999_999_999 });
  return typeof percent === 'number' && percent <= 100 && (least === 0 ? percent >= 0 : percent > 0);
}

/** "a whole number from 1, or a percentage above 0 % and up to 100 %" */
export function describedShare(least: 0 | 1): string {
  return `a whole number from ${least}, or a percentage ${least === 0 ? 'from 0 %' : 'above 0 % and up'} to 100 %`;
}
