import type { Piece, Recording } from '../../db/knex/recording.ts';
import type { Direction } from '../files/load.ts';
import type { Limits } from '../guard/limits.ts';
import type { Shown } from '../recordings/shown.ts';
import { catalogQuestion } from '../statements/catalog-question.ts';
import { needsCommit } from '../statements/needs-commit.ts';

/** What a tenant was sent by a migration, or why others may be sent something else. */
export interface Testimony extends Pick<Recording, 'pieces' | 'dependence'> {
  /** Whoever answers as this tenant did is sent the same: nothing else can decide about it. */
  readonly isCertain?: boolean;
}

/** What the migrations of a plan sent to one tenant, by name. */
export type Testimonies = ReadonlyMap<string, Testimony>;

/** A step of a plan as other tenants get it: as recorded, or run by Knex with a reason. */
export type CompiledStep = {
  readonly name: string;
  /** What follows needs its COMMIT. */
  readonly needsCommit: boolean;
} & ({ readonly pieces: readonly Piece[] } | { readonly interactive: string });

/** How a plan is carried out for tenants that need not show anything. */
export interface CompiledPlan {
  readonly direction: Direction;
  readonly steps: readonly CompiledStep[];
  /** What each tenant's transaction may lock outside its schema. */
  readonly limits: Limits;
  /** Something may read the history: each migration is recorded before the next one begins. */
  readonly readsHistory: boolean;
  /** Hooks are called within each tenant's transaction. */
  readonly hasHooks: boolean;
}

/** What is kept beside a migration's texts. */
export interface KeptLimits extends Limits {
  /** They lock shared tables: one tenant at a time. */
  readonly locksShared: boolean;
}

/** What earlier runs have kept of a migration. */
export interface KeptStep {
  readonly shown: Shown;
  readonly limits: KeptLimits;
}

/** So many tenants must have been sent the same, unless the only one so far is certain. */
const WITNESSES = 2;

interface Evidence {
  readonly testimonies: readonly Testimonies[];
  /** What so many tenants were sent in earlier runs, or why it is not to be sent. */
  readonly kept: ReadonlyMap<string, Pick<KeptStep, 'shown'>>;
  /** Why the code of a migration may do something else for the next tenant; absent if it may not. */
  readonly varying: ReadonlyMap<string, string>;
  /** What one tenant had shown did not fit another. */
  readonly isDoubted?: boolean;
}

/**
 * What becomes of a step for the tenants that follow: see docs/decisions/0034-recordings.md. Pure.
 * @returns undefined if another tenant has to show it
 */
export function compileStep(
  name: string,
  { testimonies, kept, varying, isDoubted = false }: Evidence,
): CompiledStep | undefined {
  const seen = testimonies.flatMap((each) => each.get(name) ?? []);
  const earlier = kept.get(name)?.shown;
  const isShownInteractive = earlier !== undefined && 'interactive' in earlier;
  const shown = isShownInteractive ? undefined : earlier?.pieces;
  const pieces = seen.at(-1)?.pieces ?? shown;
  const mayNeedCommit = isShownInteractive && earlier.needsCommit;
  const step = { name, needsCommit: pieces?.some(({ text }) => needsCommit(text)) ?? mayNeedCommit };
  const reason =
    varying.get(name) ??
    seen.find(({ dependence }) => dependence !== undefined)?.dependence ??
    (isShownInteractive && seen.length < WITNESSES ? earlier.interactive : undefined);
  if (reason !== undefined) return { ...step, interactive: reason };
  if (pieces === undefined) return undefined;
  const isShown = shown !== undefined && isSame(shown, pieces);
  const witnesses = seen.filter((each) => isSame(each.pieces, pieces)).length;
  const isCertain = !isDoubted && seen.length === 1 && seen[0]?.isCertain === true;
  if (isShown || isCertain || witnesses >= WITNESSES) return { ...step, pieces };
  return seen.length < WITNESSES ? undefined : { ...step, interactive: differenceOf(seen) };
}

/** Whether each tenant is sent one string: no answer is waited for, and nothing runs with Knex. Pure. */
export function isOneString({ steps, hasHooks }: Pick<CompiledPlan, 'steps' | 'hasHooks'>): boolean {
  return (
    !hasHooks &&
    transactionsOf(steps).length === 1 &&
    steps.every((step) => 'pieces' in step && step.pieces.every(({ answer }) => answer === undefined))
  );
}

/** The transactions of a plan: a step that needs a COMMIT ends one. Pure. */
export function transactionsOf(steps: readonly CompiledStep[]): (readonly CompiledStep[])[] {
  const transactions: CompiledStep[][] = [[]];
  for (const [at, step] of steps.entries()) {
    transactions.at(-1)?.push(step);
    if (step.needsCommit && at < steps.length - 1) transactions.push([]);
  }
  return transactions;
}

/** What pieces read of the catalog without saying of which schema: every tenant that is added may change the answer. */
export function readOfAll(pieces: readonly Piece[]): string | undefined {
  const asked = pieces.flatMap(({ text, answer }) =>
    answer === undefined ? [] : (catalogQuestion(text) ?? []),
  );
  return asked[0] && `it asks ${asked[0]} without a condition on the schema`;
}

export function isSame(one: readonly Piece[], other: readonly Piece[]): boolean {
  return (
    one.length === other.length &&
    one.every(({ text, answer }, at) => text === other[at]?.text && answer === other[at]?.answer)
  );
}

function differenceOf(seen: readonly Testimony[]): string {
  const texts = new Set(seen.map(({ pieces }) => JSON.stringify(pieces.map(({ text }) => text))));
  return texts.size > 1
    ? 'it sent different statements to two tenants'
    : 'two tenants answered it differently';
}
