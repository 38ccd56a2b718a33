import type { Database } from '../../db/database.ts';
import { literal } from '../../db/sql.ts';
import {
  BEGIN,
  CHECK_CONSTRAINTS,
  CLEAN_SESSION,
  DEALLOCATE,
  ownSettings,
  setSearchPath,
  READ_ONLY,
} from '../../db/transaction.ts';
import type { RunContext } from '../run/run-context.ts';
import { limitArguments, noteOwn } from '../guard/limits.ts';
import { OWN_PATH, REPLACED_ROUTINES } from '../guard/own-transaction.ts';
import type { CompiledPlan } from './compiled.ts';
import { giveControl, ownSearchPath, regainControlAtEnd, regainControl } from '../target/control.ts';
import { createHistoryTables } from '../target/history.ts';
import { restoreSettings } from '../target/settings.ts';
import type { Target } from '../target/target.ts';

/** What is assumed of a tenant when a compiled plan is sent. The server checks it under the tenant's lock. */
export interface Assumption {
  readonly statuses: readonly string[];
  /** The batch of the plan. */
  readonly batch: number;
  /** The digest of the history that the plan was made for; null without a history table. */
  readonly expected: string | null;
  readonly becomes: string;
}

type ComposerContext = Pick<RunContext, 'lockTimeoutMs' | 'statementTimeoutMs' | 'run'> & {
  readonly database: Pick<Database, 'deadClientSettings'>;
};

/**
 * Composes the string for one tenant, which costs one round trip: transaction, settings and lock; the check
 * that the history is still the expected one; each migration with its record; the stamp; after the COMMIT,
 * the session's reset: even CREATE TABLE may call a function, by an event trigger or the default of a domain.
 * `opening` goes between the lock and the history, `closing` after the last row of the history.
 * Every argument has the type that the routine declares, so that no overload fits better.
 * The parts common to all tenants with the same assumption are composed once.
 */
export function createComposer(
  context: ComposerContext,
  compiled: CompiledPlan,
  { statuses, batch, expected, becomes }: Assumption,
): (target: Target, opening: readonly string[], closing: readonly string[]) => string[] {
  const before = `${expected === null ? 'NULL' : literal(expected)}::uuid`;
  const enterWith = [
    before,
    `ARRAY[${statuses.map(literal).join(', ')}]::text[]`,
    `ARRAY[${settingsFor(context).map(literal).join(', ')}]::text[]`,
  ].join(', ');
  const recordOf = (names: readonly string[]) =>
    `${literal(compiled.direction)}::text, ARRAY[${names.map(literal).join(', ')}]::text[], ${batch}::integer, ${context.run?.id ?? 'NULL'}::bigint`;
  const between = compiled.steps.slice(0, -1).map(({ name, texts }) => ({
    texts,
    record: recordOf([name]),
    restored: restoreSettings(texts, context.database, context),
  }));
  // Where no function can see the difference, all records are written at the end.
  const isOneStep = !compiled.limits.thorough && between.every(({ restored }) => restored.length === 0);
  const records = isOneStep ? [] : between;
  const last = compiled.steps.slice(records.length);
  const leaveWith = `${before}, ${literal(becomes)}::uuid, ${recordOf(last.map(({ name }) => name))}`;
  const limits = limitArguments(compiled.limits);
  const lastTexts = last.flatMap(({ texts }) => texts);

  return (target, opening, closing) => {
    const { schema, historyTable, clerkOrgId } = target;
    const begins = giveControl(target);
    const name = `${literal(schema)}::text`;
    const organization = `${clerkOrgId === undefined ? 'NULL' : literal(clerkOrgId)}::text`;
    return [
      BEGIN,
      `CALL tenantctl.enter(${name}, ${target.role === undefined ? 'NULL' : literal(target.role)}::text, ${enterWith})`,
      ...noteOwn(schema, compiled.limits),
      ...opening,
      ...(expected === null ? createHistoryTables(schema, historyTable) : []),
      ...begins,
      ...records.flatMap(({ texts, record, restored }) => [
        ...texts,
        ...regainControl(target),
        `CALL tenantctl.record(${name}, ${record}, ${organization})`,
        ...restored,
        ...begins,
      ]),
      ...lastTexts,
      ...regainControlAtEnd(target),
      `CALL tenantctl.leave(${name}, ${leaveWith}, ${organization})`,
      // Deferred constraints and cursors WITH HOLD run now, before the guard looks.
      'CLOSE ALL',
      CHECK_CONSTRAINTS,
      ...(compiled.limits.thorough ? assertRoutines(target) : []),
      `CALL tenantctl.stay_within(${name}, ${limits})`,
      ...closing,
      READ_ONLY,
      CHECK_CONSTRAINTS,
      'COMMIT',
      ...CLEAN_IN_STRING,
    ];
  };
}

/** Fails if the guard's routines were replaced; the tenant then runs statement by statement, and the guard says so. */
function assertRoutines(target: Target): string[] {
  const assertion = `SELECT 1 / (NOT EXISTS (${REPLACED_ROUTINES}))::int`;
  return [OWN_PATH, assertion, setSearchPath(ownSearchPath(target))];
}

/** The routine does in a tenth of the time what CLEAN_SESSION does with a DO block. */
const CLEAN_IN_STRING = CLEAN_SESSION.map((statement) =>
  statement === DEALLOCATE ? 'CALL tenantctl.deallocate()' : statement,
);

/** The transaction's settings, as alternating names and values. */
function settingsFor(context: ComposerContext): string[] {
  return Object.entries(ownSettings(context.database, context)).flatMap(([name, value]) => [
    name,
    String(value),
  ]);
}

/** Joins statements with newlines: a text may end in a comment. */
export function asOneString(statements: readonly string[]): string {
  return statements.join('\n;\n');
}
