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
): Omit<CompiledPlan, 'limits'> | NotCompiled {
  const steps: { name: string; texts: readonly string[] }[] = [];
  for (const { name } of plan.steps) {
    const [one, other] = [first.get(name), second.get(name)];
    const reason = one === undefined || other === undefined ? 'it was not seen' : reasonIn(one, other);
    if (reason !== undefined) return { migration: name, reason };
    steps.push({ name, texts: one?.texts ?? [] });
  }
  const cut = steps.slice(0, -1).find(({ texts }) => texts.some(needsCommit));
  if (cut !== undefined) return { migration: cut.name, reason: 'it is committed before the next migration' };
  return { direction, steps };
}

/** Why two tenants are not known to be sent the same. Pure. */
export function reasonIn(one: Recording, other: Recording): string | undefined {
  const reason = one.dependence ?? other.dependence;
  if (reason !== undefined) return reason;
  const isSame =
    one.texts.length === other.texts.length && one.texts.every((text, at) => text === other.texts[at]);
  return isSame ? undefined : 'it sent different statements to two tenants';
}
