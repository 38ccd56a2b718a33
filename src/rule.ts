/** A check of one value from outside. */
export interface Rule {
  /** Completes "must be ...". */
  readonly must: string;
  readonly holds: (value: unknown) => boolean;
}

export const rule = (must: string, holds: (value: unknown) => boolean): Rule => ({ must, holds });

export const isText = (value: unknown): value is string => typeof value === 'string';

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

/** "port must be a whole number from 1 to 65535; got string." The value is not shown: it may be a secret. */
export function violation(name: string, { must }: Rule, value: unknown): string {
  const isShown = value === undefined || value === null || typeof value === 'number';
  const kind = value === '' ? 'an empty string' : typeof value;
  const shown = Array.isArray(value) ? 'another array' : isShown ? String(value) : kind;
  return `${name} must be ${must}; got ${shown}.`;
}
