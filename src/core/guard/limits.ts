import { literal } from '../../db/sql.ts';
import { compareNames } from '../files/source.ts';
import type { ObservedEffects } from './judge.ts';
import { mayNameHistory } from '../target/history.ts';
import type { Reading } from '../statements/read-statements.ts';

/** What tenants that are sent a string may lock outside their schema, and how closely they are checked. */
export interface Limits extends Pick<ObservedEffects, 'schemas' | 'keyLocks'> {
  /** The schema's own objects may be dropped: what it holds is noted before. */
  readonly drops: boolean;
  /** Locks do not show everything that the texts can reach: catalogs are searched as well. */
  readonly thorough: boolean;
  /** Search for grants on columns as well. */
  readonly columns: boolean;
}

/**
 * How closely the guard checks these texts. Pure.
 * @param observedEffects of the first tenants
 * @param namesHistory they may put triggers on the history, which tenantctl writes
 */
export function limitsOf(
  readings: readonly Reading[],
  observedEffects: readonly ObservedEffects[],
  namesHistory = false,
): Limits {
  const thorough =
    namesHistory ||
    readings.some(({ isObscure }) => isObscure) ||
    observedEffects.some(({ hasHiddenCalls }) => hasHiddenCalls);
  const all = (of: (observed: ObservedEffects) => readonly string[]) =>
    [...new Set(observedEffects.flatMap(of))].toSorted(compareNames);
  return {
    schemas: [...new Set(['public', ...all(({ schemas }) => schemas)])],
    keyLocks: all(({ keyLocks }) => keyLocks),
    drops: readings.some(({ drops }) => drops) || observedEffects.some(({ drops }) => drops),
    thorough,
    columns: readings.some(({ mayGrant }) => mayGrant),
  };
}

/** The limits of migrations that Knex runs, before it is known what they send: see limitsAfter. Pure. */
export function limitsBefore(observedEffects: readonly ObservedEffects[]): Limits {
  return { ...limitsOf([], observedEffects), drops: true };
}

/** What migrations that Knex has run have sent to a tenant. */
export interface Sent {
  readonly texts: readonly string[];
  readonly readings: readonly Reading[];
}

/** The limits once it is known what migrations that Knex runs have sent. Pure. */
export function limitsAfter(limits: Limits, { texts, readings }: Sent, historyTable: string): Limits {
  const isObscure = readings.some((reading) => reading.isObscure);
  const namesHistory = texts.some((text) => mayNameHistory(text, historyTable));
  return {
    ...limits,
    thorough: limits.thorough || isObscure || namesHistory,
    columns: limits.columns || readings.some(({ mayGrant }) => mayGrant),
  };
}

/** What several texts together may do, each with limits of its own. Pure. */
export function joinLimits(all: readonly Limits[]): Limits {
  const union = (of: (limits: Limits) => readonly string[]) => [...new Set(all.flatMap(of))];
  return {
    schemas: union(({ schemas }) => schemas),
    keyLocks: union(({ keyLocks }) => keyLocks),
    drops: all.some(({ drops }) => drops),
    thorough: all.some(({ thorough }) => thorough),
    columns: all.some(({ columns }) => columns),
  };
}

/** The statement, after the tenant's lock, that notes what stay_within needs; none if it needs nothing. */
export function noteOwn(schema: string, { drops, thorough }: Limits): string[] {
  return drops || thorough ? [`CALL tenantctl.note_own(${literal(schema)}::text, ${drops})`] : [];
}

/**
 * Changes nothing. In a new session the server first reads its catalogs and plans the guard's statements, which takes
 * 10 to 20 ms.
 */
export function warmUp(): string {
  const limits = { ...limitsOf([], [], true), drops: true, columns: true };
  const look = `CALL tenantctl.stay_within('tenantctl', ${limitArguments(limits)})`;
  return ['BEGIN READ ONLY', ...noteOwn('tenantctl', limits), look, 'ROLLBACK'].join(';\n');
}

/** The arguments of tenantctl.stay_within after the schema. */
export function limitArguments({ schemas, keyLocks, drops, thorough, columns }: Limits): string {
  return `${textArray(schemas)}, ${textArray(keyLocks)}, ${drops}, ${thorough}, ${columns}`;
}

function textArray(values: readonly string[]): string {
  return `ARRAY[${values.map(literal).join(', ')}]::text[]`;
}
