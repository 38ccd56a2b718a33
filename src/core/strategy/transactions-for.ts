import { literal } from '../../db/sql.ts';
import type { MigrationTask } from '../fleet/plan-fleet.ts';
import { historyAfter, isScript, type Plan } from '../plan/plan.ts';
import { statusValues } from '../registry/registry-sql.ts';
import { digester, hasStamps, storeHistories } from '../stamps/stamps.ts';
import { recordScripts } from '../state/scripts.ts';
import type { History } from '../target/history.ts';
import type { Target } from '../target/target.ts';
import { transactionsOf, type CompiledPlan, type CompiledStep } from './compiled.ts';
import { createComposer } from './compose-parts.ts';
import type { Part } from './part-list.ts';
import type { PlanGroup } from './plan-group.ts';
import { hooksOfTask } from './task-hooks.ts';

/** A transaction of a task: its parts, and what is done of the plan once it is committed. */
interface ComposedTransaction {
  readonly parts: readonly Part[];
  readonly done: readonly string[];
}

export type TransactionsFor = (task: MigrationTask, target: Target) => ComposedTransaction[];

/** Composes what each tenant is sent, and registers the resulting histories with the server. */
export async function createTransactionsFor(
  { session: { context }, migration, tasks }: Pick<PlanGroup, 'session' | 'migration' | 'tasks'>,
  compiled: CompiledPlan,
): Promise<TransactionsFor> {
  const { database } = context;
  const { direction } = compiled;
  const { dataChange } = migration;
  const digest = digester();
  const transactions = transactionsOf(compiled.steps);
  const known = new Map<History['entries'], readonly History['entries'][]>();
  /** The histories before the first transaction and after each. */
  const historiesOf = ({ history, plan }: MigrationTask) => {
    const histories = known.get(history.entries) ?? [
      history.entries,
      ...transactions.map((_, at) =>
        dataChange === undefined
          ? historyAfter(history, { ...plan, steps: stepsUpTo(plan, transactions, at) }, direction)
          : history.entries,
      ),
    ];
    known.set(history.entries, histories);
    return histories;
  };
  for (const task of tasks) historiesOf(task);
  const after = [...known.values()].flatMap(([, ...later]) => later);
  const [, canStamp] = await database.together((one) => [
    dataChange === undefined ? storeHistories(one, after) : undefined,
    hasStamps(one),
  ]);

  const statuses = statusValues(database.names, migration.statuses);
  const composers = new Map<string, ReturnType<typeof createComposer>>();
  return (task, target) => {
    const { batch } = task.plan;
    const histories = historiesOf(task);
    const hooks = hooksOfTask(context, target, migration, task, task.part?.isFirst === false);
    return transactions.map((steps, at) => {
      const [before = [], after = []] = histories.slice(at);
      const expected = at === 0 && !task.tenant.hasHistory ? null : digest(before);
      const isNew = expected === null && !task.tenant.hasLock && canStamp && !database.hasNodes;
      const key = `${at} ${expected} ${isNew} ${batch}`;
      const assumption = { statuses, batch, expected, becomes: digest(after), isNew, dataChange };
      const compose = composers.get(key) ?? createComposer(context, { ...compiled, steps }, assumption);
      composers.set(key, compose);
      const done = stepsUpTo(task.plan, transactions, at);
      const own = done.slice(done.length - steps.length);
      const isLast = at === transactions.length - 1;
      const opening = (at === 0 ? migration.opening?.(task) : undefined) ?? [];
      const closing = isLast ? migration.closing(task) : [];
      const scripts =
        dataChange === undefined ? repeatableStatements(task, own, context.run?.id) : NO_SCRIPTS;
      const around = {
        opening: [...opening, ...scripts.before],
        closing: [...scripts.after, ...closing],
        hooks: { before: at === 0 ? hooks.before : undefined, after: isLast ? hooks.after : undefined },
      };
      return { parts: compose(target, around), done: done.map(({ name }) => name) };
    });
  };
}

function texts(values: readonly string[]): string {
  return `ARRAY[${values.map(literal).join(', ')}]::text[]`;
}

const NO_SCRIPTS = { before: [], after: [] };

/** What is sent in a transaction of these steps because of repeatable scripts. */
function repeatableStatements(
  { tenant: { schema }, isNew = false }: MigrationTask,
  steps: Plan['steps'],
  run: number | undefined,
) {
  const isOnlyScripts = steps.length > 0 && steps.every(isScript);
  const scripts = steps.flatMap(({ file }) => file.script ?? []);
  return {
    // The history does not tell whether another run has applied them.
    before: isOnlyScripts
      ? [
          `CALL tenantctl.assert_outdated(${literal(schema)}::text, ${texts(scripts.map(({ name }) => name))}, ${texts(scripts.map(({ checksum }) => checksum))})`,
        ]
      : [],
    after: [
      // The plan of a routine's statement is kept, unlike that of a text.
      ...(scripts.length < steps.length && !isNew
        ? [`CALL tenantctl.forget_scripts(${literal(schema)}::text)`]
        : []),
      ...(scripts.length > 0 ? [recordScripts(scripts, { schema, kind: 'repeatable', run })] : []),
    ],
  };
}

function stepsUpTo(
  { steps }: Plan,
  transactions: readonly (readonly CompiledStep[])[],
  last: number,
): Plan['steps'] {
  return steps.slice(0, transactions.slice(0, last + 1).flat().length);
}
