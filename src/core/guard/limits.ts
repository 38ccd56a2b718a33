import { literal } from '../../db/sql.ts';
import { compareNames } from '../files/source.ts';
import type { ObservedEffects } from './judge.ts';
import type { Reading } from '../statements/read-statements.ts';

/** What tenants that are sent the same may lock outside their schema, and how far each is looked at. */
export interface Limits {
  /** Schemas of shared relations. */
  readonly schemas: readonly string[];
  /** Shared relations that a foreign key locks against others: see ObservedEffects. */
  readonly keyLocks: readonly string[];
  /** Something may be dropped: what is not there any more must have been in the schema before. */
  readonly drops: boolean;
  /** The locks do not show all that the texts can reach: catalogs are looked through as well. */
  readonly thorough: boolean;
  /** Grants on columns are looked for as well. */
  readonly columns: boolean;
}

/**
 * Decides how far every tenant is to be looked at that is sent these texts, and what it may lock. Pure.
 * @param observedEffects of the tenants that have been sent them already
 */
export function limitsOf(readings: readonly Reading[], observedEffects: readonly ObservedEffects[]): Limits {
  const thorough = readings.some(({ obscurity }) => obscurity !== undefined);
  const all = (of: (observed: ObservedEffects) => readonly string[]) =>
    [...new Set(observedEffects.flatMap(of))].toSorted(compareNames);
  return {
    schemas: [...new Set(['public', ...all(({ schemas }) => schemas)])],
    keyLocks: all(({ keyLocks }) => keyLocks),
    drops: thorough || readings.some(({ drops }) => drops),
    thorough,
    columns: readings.some(({ mayGrant }) => mayGrant),
  };
}

/** The statement behind the lock that notes what the schema holds, where that will be asked. */
export function noteOwn(schema: string, { drops }: Limits): string[] {
  return drops ? [`CALL tenantctl.note_own(${literal(schema)})`] : [];
}

/** What tenantctl.stay_within, which comes after the record, is called with behind the schema. */
export function limitArguments({ schemas, keyLocks, drops, thorough, columns }: Limits): string {
  const locks = keyLocks.map((lock) => lock.split('\u0000').join('\n'));
  return `${textArray(schemas)}, ${textArray(locks)}, ${drops}, ${thorough}, ${columns}`;
}

function textArray(values: readonly string[]): string {
  return `ARRAY[${values.map(literal).join(', ')}]::text[]`;
}
