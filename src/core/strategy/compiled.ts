import type { Recording } from '../../db/knex/recording.ts';
import type { Plan } from '../plan/plan.ts';
import { needsCommit } from '../statements/needs-commit.ts';
import type { Limits } from '../guard/limits.ts';
import type { Direction } from '../files/load.ts';

/** What may be sent to every tenant with a plan, to each as one string. */
export interface CompiledPlan {
  readonly direction: Direction;
  /** What each migration sends, the same for every tenant. */
  readonly steps: readonly { readonly name: string; readonly texts: readonly string[] }[];
  /** Tables and indexes only: all migrations can be recorded at the end. */
  readonly isTableChange: boolean;
  /** What each tenant's transaction may lock outside its schema. */
  readonly limits: Limits;
}

/** What the migrations of a plan sent to one tenant, by name. */
export type Recordings = ReadonlyMap<string, Recording>;

/** Why a plan must be run for every tenant with Knex. */
export interface NotCompiled {
  readonly migration: string;
  readonly reason: string;
}

/** A plan is compiled if two tenants were sent the same and no migration could distinguish tenants. Pure. */
export function compile(
  plan: Plan,
  direction: Direction,
  first: Recordings,
  second: Recordings,
  historyTable: string,
): Omit<CompiledPlan, 'limits'> | NotCompiled {
  const steps: { name: string; texts: readonly string[] }[] = [];
  for (const { name } of plan.steps) {
    const [one, other] = [first.get(name), second.get(name)];
    const reason = one === undefined || other === undefined ? 'it was not seen' : reasonIn(one, other);
    if (reason !== undefined) return { migration: name, reason };
    steps.push({ name, texts: one?.texts ?? [] });
  }
  const cut = steps.slice(0, -1).find(({ texts }) => texts.some(needsCommit));
  if (cut !== undefined) return { migration: cut.name, reason: 'what follows it needs another transaction' };
  return {
    direction,
    steps,
    isTableChange: steps.every(({ texts }) => texts.every((text) => changesTables(text, historyTable))),
  };
}

/** One or several names, quoted or not. */
const NAMES = String.raw`[\w".,\s]+`;

/** Statements that name no function. What they call all the same is reset after the COMMIT. */
const CALLS_NOTHING: readonly RegExp[] = [
  /^\s*create\s+table\b(?![^]*\b(?:as|select|values|execute|temp|temporary|pg_temp\w*)\b)[^;]*;?\s*$/i,
  /^\s*alter\s+table\b(?![^]*\b(?:default|using|check|generated|validate|set|pg_temp\w*)\b)[^;]*;?\s*$/i,
  new RegExp(
    String.raw`^\s*create\s+(?:unique\s+)?index\s${NAMES}\son\s${NAMES}(?:\susing\s+\w+\s*)?\(${NAMES}\)\s*;?\s*$`,
    'i',
  ),
  new RegExp(String.raw`^\s*drop\s+(?:table|index)\s${NAMES};?\s*$`, 'i'),
];

/** True if the text changes tables and indexes, and not the history table. */
function changesTables(text: string, historyTable: string): boolean {
  if (text.toLowerCase().includes(historyTable.toLowerCase())) return false;
  return CALLS_NOTHING.some((form) => form.test(text));
}

function reasonIn(one: Recording, other: Recording): string | undefined {
  const reason = one.dependence ?? other.dependence;
  if (reason !== undefined) return reason;
  const isSame =
    one.texts.length === other.texts.length && one.texts.every((text, at) => text === other.texts[at]);
  return isSame ? undefined : 'it sent different statements to two tenants';
}
