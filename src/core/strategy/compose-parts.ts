import type { Database } from '../../db/database.ts';
import { literal } from '../../db/sql.ts';
import {
  BEGIN,
  CHECK_CONSTRAINTS,
  CLEAN_SESSION,
  DEALLOCATE,
  limitNodes,
  ownSettings,
  setSearchPath,
  READ_ONLY,
} from '../../db/transaction.ts';
import type { DataChange } from '../apply/assignment.ts';
import type { RunContext } from '../run/run-context.ts';
import { limitArguments, limitsAfter, noteOwn, type Limits } from '../guard/limits.ts';
import { beginOnNodes, endOnNodes } from '../guard/on-nodes.ts';
import { ASSERT_ROUTINES, OWN_PATH } from '../guard/own-transaction.ts';
import type { Hooks } from '../apply/hooks.ts';
import { stampNew } from '../stamps/stamps.ts';
import type { Migration } from '../files/load.ts';
import type { CompiledPlan } from './compiled.ts';
import { createPartList, type Part } from './part-list.ts';
import { giveControl, ownSearchPath, regainControlAtEnd, regainControl } from '../target/control.ts';
import { createHistoryTables, holdLockRow } from '../target/history.ts';
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
  /** The transaction creates both history tables, and tenants of this database can have stamps. */
  readonly isNew: boolean;
  /** Replaces the records in history and stamp. */
  readonly dataChange?: DataChange | undefined;
}

/** What stands around the migrations of one tenant's transaction. */
interface Around {
  readonly opening: readonly string[];
  readonly closing: readonly string[];
  readonly hooks: Hooks;
}

type ComposerContext = Pick<RunContext, 'lockTimeoutMs' | 'statementTimeoutMs' | 'run'> & {
  readonly database: Pick<Database, 'deadClientSettings' | 'hasNodes' | 'acceptsAnyInStrings'>;
};

/**
 * Composes the parts of one tenant's transaction, one if it reads no answer and runs nothing with Knex: settings and
 * lock; the check that the history is still the expected one; the migrations; their records; the stamp; after the
 * COMMIT, the session's reset: even CREATE TABLE may call a function, by an event trigger or the default of a domain.
 * `opening` goes between the lock and the history, `closing` after the last row of the history, hooks around the
 * migrations.
 * Every argument has the type that the routine declares, so that no overload fits better.
 * The texts common to all tenants with the same assumption are composed once.
 */
export function createComposer(
  context: ComposerContext,
  compiled: CompiledPlan,
  assumption: Assumption,
): (target: Target, around: Around) => Part[] {
  const { statuses, expected, isNew, dataChange } = assumption;
  const enterWith = [
    digestOrNull(expected),
    `ARRAY[${statuses.map(literal).join(', ')}]::text[]`,
    `ARRAY[${settingsFor(context).map(literal).join(', ')}]::text[]`,
  ].join(', ');
  const { recordOf, leave } = createRecords(context, compiled, assumption);
  const restore = (texts: readonly string[]) => restoreSettings(texts, context.database, context);
  const steps = compiled.steps.map((step) => ({
    ...step,
    restored: 'pieces' in step ? restore(step.pieces.map(({ text }) => text)) : [],
  }));

  return (target, { opening, closing, hooks }) => {
    const { schema, historyTable } = target;
    const begins = [...beginOnNodes(context.database, target), ...giveControl(target)];
    const { parts, add, addPiece, run, end } = createPartList(context.database);
    let done: string[] = [];
    const record = () => {
      if (done.length === 0 || dataChange !== undefined) return;
      add(...regainControl(target), recordOf(target, done), ...begins);
      done = [];
    };
    // What Knex sends may read the history.
    const runByKnex = (what: string | Migration) => {
      record();
      run(what, (texts) => [...regainControl(target), ...restore(texts), ...begins]);
    };
    add(
      BEGIN,
      ...limitNodes(context.database, context),
      `CALL tenantctl.enter(${literal(schema)}::text, ${target.role === undefined ? 'NULL' : literal(target.role)}::text, ${enterWith})`,
      ...(expected !== null && context.database.hasNodes ? [holdLockRow(target, 'NOWAIT')] : []),
      ...noteOwn(schema, compiled.limits),
      ...opening,
      ...(expected === null && dataChange === undefined
        ? createHistoryTables(schema, historyTable, isNew)
        : []),
      ...begins,
    );
    if (hooks.before !== undefined) runByKnex(hooks.before);
    for (const [at, step] of steps.entries()) {
      const isLast = at === steps.length - 1;
      if ('pieces' in step) {
        for (const piece of step.pieces) addPiece(piece, step.name);
        if (step.restored.length > 0) add(...regainControl(target), ...step.restored);
        if (!isLast) add(...begins);
      } else {
        runByKnex(step.name);
      }
      done.push(step.name);
      if (compiled.readsHistory && !isLast) record();
    }
    if (hooks.after !== undefined) runByKnex(hooks.after);
    add(...regainControlAtEnd(target), ...leave(target, done));
    const last = [...endOnNodes(context.database, target), ...closing];
    end((sent) => closed(target, limitsAfter(compiled.limits, sent, historyTable), last));
    return parts;
  };
}

/** What says of a tenant what has been done: history, ledger and stamp; or what a data change has in their place. */
function createRecords(
  { run }: ComposerContext,
  compiled: CompiledPlan,
  { batch, expected, becomes, isNew, dataChange }: Assumption,
) {
  const argumentsFor = ({ schema, clerkOrgId }: Target, names: readonly string[], digests = '') => {
    const organization = clerkOrgId === undefined ? 'NULL' : literal(clerkOrgId);
    return `${literal(schema)}::text, ${digests}${literal(compiled.direction)}::text, ARRAY[${names.map(literal).join(', ')}]::text[], ${batch}::integer, ${run?.id ?? 'NULL'}::bigint, ${organization}::text`;
  };
  const recordOf = (target: Target, names: readonly string[]) =>
    `CALL tenantctl.record(${argumentsFor(target, names)})`;
  const digests = `${digestOrNull(expected)}, ${digestOrNull(becomes)}, `;
  const leave = (target: Target, names: readonly string[]): readonly string[] => {
    if (dataChange !== undefined) return dataChange.record(target, names);
    if (!isNew) return [`CALL tenantctl.leave(${argumentsFor(target, names, digests)})`];
    const { schema, historyTable } = target;
    return [recordOf(target, names), ...stampNew(schema, historyTable, becomes, mayReachHistory(compiled))];
  };
  return { recordOf, leave };
}

const digestOrNull = (digest: string | null) => `${digest === null ? 'NULL' : literal(digest)}::uuid`;

/** Whether the migrations may have written the history, or put something on its tables. Pure. */
function mayReachHistory({ limits, readsHistory, hasHooks, steps }: CompiledPlan): boolean {
  return limits.thorough || readsHistory || hasHooks || !steps.every((step) => 'pieces' in step);
}

/** The end of a transaction, from the guard to the COMMIT and the session's reset. */
function closed(target: Target, limits: Limits, closing: readonly string[]): string[] {
  return [
    // Deferred constraints and cursors WITH HOLD run now, before the guard looks.
    'CLOSE ALL',
    CHECK_CONSTRAINTS,
    ...(limits.thorough ? assertRoutines(target) : []),
    `CALL tenantctl.stay_within(${literal(target.schema)}::text, ${limitArguments(limits)})`,
    ...closing,
    READ_ONLY,
    CHECK_CONSTRAINTS,
    'COMMIT',
    ...(limits.thorough ? CLEAN_IN_STRING : CLEAN_WITHOUT_PREPARED),
  ];
}

/** Fails if the guard's routines were replaced; the tenant then runs statement by statement, and the guard says so. */
function assertRoutines(target: Target): string[] {
  return [OWN_PATH, ASSERT_ROUTINES, setSearchPath(ownSearchPath(target))];
}

/** The routine does in a tenth of the time what CLEAN_SESSION does with a DO block. */
const CLEAN_IN_STRING = CLEAN_SESSION.map((statement) =>
  statement === DEALLOCATE ? 'CALL tenantctl.deallocate()' : statement,
);

/** PREPARE is obscure, and so is all that could run it. */
const CLEAN_WITHOUT_PREPARED = CLEAN_SESSION.filter((statement) => statement !== DEALLOCATE);

/** The transaction's settings, as alternating names and values. */
function settingsFor(context: ComposerContext): string[] {
  return Object.entries(ownSettings(context.database, context)).flatMap(([name, value]) => [
    name,
    String(value),
  ]);
}
