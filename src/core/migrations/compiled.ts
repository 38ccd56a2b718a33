import { literal } from '../../db/sql.ts';
import {
  BEGIN,
  CLEAN_SESSION,
  CLIENT_CHECK_INTERVAL_MS,
  IDLE_TIMEOUT_MS,
  setSearchPath,
} from '../../db/transaction.ts';
import type { Transcript } from '../../db/transcript.ts';
import type { Direction } from './action.ts';
import { createHistoryTables, type History, type HistoryEntry } from './history.ts';
import type { Plan } from './plan.ts';
import type { Target } from './target.ts';

/** What each migration of a plan sends, the same for every tenant. */
export interface CompiledPlan {
  readonly direction: Direction;
  readonly steps: readonly { readonly name: string; readonly texts: readonly string[] }[];
  /** The texts surely leave the session, its role included, and the history as they found them. */
  readonly isClean: boolean;
}

/** What the migrations of a plan sent to one tenant, by name. */
export type Transcripts = ReadonlyMap<string, Transcript>;

/** Why a plan has to be gone through with every tenant, as Knex would. */
export interface NotCompiled {
  readonly migration: string;
  readonly reason: string;
}

/**
 * Decides whether what two tenants were sent may be sent to all the others with the same plan: both times the same
 * texts, and nothing in the migration that could tell one tenant from another. Pure.
 */
export function compile(
  plan: Plan,
  direction: Direction,
  first: Transcripts,
  second: Transcripts,
): CompiledPlan | NotCompiled {
  const steps: { name: string; texts: readonly string[] }[] = [];
  for (const { name } of plan.steps) {
    const [one, other] = [first.get(name), second.get(name)];
    const reason = one === undefined || other === undefined ? 'it was not seen' : reasonIn(one, other);
    if (reason !== undefined) return { migration: name, reason };
    steps.push({ name, texts: one?.texts ?? [] });
  }
  return { direction, steps, isClean: steps.every(({ texts }) => texts.every(leavesSessionClean)) };
}

/** A name, or several, with quotes or without. */
const NAMES = String.raw`[\w".,\s]+`;

/**
 * Statements that surely call no function: one of those may do anything to its session. A default is not worked out
 * before there are rows, so a table that is created may have any; one that has rows may not be given any.
 */
const CALLS_NOTHING: readonly RegExp[] = [
  /^\s*create\s+table\b(?![^]*\b(?:as|select|values|execute|temp|temporary|pg_temp\w*|knex_migrations_tenant)\b)[^;]*;?\s*$/i,
  /^\s*alter\s+table\b(?![^]*\b(?:default|using|check|generated|validate|set|pg_temp\w*|knex_migrations_tenant)\b)[^;]*;?\s*$/i,
  new RegExp(
    String.raw`^\s*create\s+(?:unique\s+)?index\s${NAMES}\son\s${NAMES}(?:\susing\s+\w+\s*)?\(${NAMES}\)\s*;?\s*$`,
    'i',
  ),
  new RegExp(String.raw`^\s*drop\s+(?:table|index)\s(?!.*knex_migrations_tenant)${NAMES};?\s*$`, 'i'),
];

function leavesSessionClean(text: string): boolean {
  return CALLS_NOTHING.some((form) => form.test(text));
}

function reasonIn(one: Transcript, other: Transcript): string | undefined {
  const reason = one.dependence ?? other.dependence;
  if (reason !== undefined) return reason;
  const isSame =
    one.texts.length === other.texts.length && one.texts.every((text, at) => text === other.texts[at]);
  return isSame ? undefined : 'it sent different statements to two tenants';
}

/** What a history will be when a plan has been carried out. Pure. */
export function historyAfter(history: History, plan: Plan, direction: Direction): readonly HistoryEntry[] {
  const names = plan.steps.map(({ name }) => name);
  return direction === 'up'
    ? [...history.entries, ...names.map((name) => ({ name, batch: plan.batch }))]
    : history.entries.filter(({ name }) => !names.includes(name));
}

/** A tenant to which a compiled plan is to be sent. */
export interface Addressee {
  readonly target: Target;
  readonly plan: Plan;
  /** The digest of the history that the plan was made for; null where there is no history table yet. */
  readonly expected: string | null;
  /** The digest of the history afterwards. */
  readonly becomes: string;
}

export interface SendingOptions {
  /** Only a tenant whose registry row has one of these statuses is worked on. */
  readonly statuses: readonly string[];
  readonly lockTimeoutMs: number;
  /** The server can watch over its client while it is busy. */
  readonly canCheckClient: boolean;
  /** Statements between the lock and the history: create the schema, say. */
  readonly opening?: readonly string[];
  /** Statements that go with the last row of the history. */
  readonly closing: readonly string[];
}

/**
 * All that is sent for one tenant, statement by statement: the transaction with its settings and its lock, the check
 * that the history is what the plan was made for, the migrations each with its record, the stamp; and behind the
 * COMMIT what leaves the session clean, where that is needed. Sent as one string it costs one round trip.
 */
export function statementsFor(
  compiled: CompiledPlan,
  addressee: Addressee,
  options: SendingOptions,
): string[] {
  const { target, expected } = addressee;
  const setPath = setSearchPath(target.searchPath);
  const statements = [BEGIN, enter(target, expected, options), ...(options.opening ?? []), setPath];
  if (expected === null) statements.push(...createHistoryTables(target.schema, target.historyTable));
  // Records of migrations that change nothing but tables can all be written at the end.
  let recorded: string[] = [];
  for (const [index, { name, texts }] of compiled.steps.entries()) {
    statements.push(...texts);
    recorded.push(name);
    if (compiled.isClean || index === compiled.steps.length - 1) continue;
    statements.push(
      'RESET ROLE',
      `SELECT tenantctl.record(${recordOf(compiled, addressee, recorded)})`,
      setPath,
    );
    recorded = [];
  }
  statements.push(
    ...(compiled.isClean ? [] : ['RESET ROLE']),
    `SELECT tenantctl.leave(${literal(target.schema)}, ${digestLiteral(expected)}, ${literal(addressee.becomes)}, ${detailsOf(compiled, addressee, recorded)})`,
    ...options.closing,
    'COMMIT',
  );
  return compiled.isClean ? statements : [...statements, ...CLEAN_SESSION];
}

/** The arguments of tenantctl.record. */
function recordOf(compiled: CompiledPlan, addressee: Addressee, names: readonly string[]): string {
  return `${literal(addressee.target.schema)}, ${detailsOf(compiled, addressee, names)}`;
}

function detailsOf({ direction }: CompiledPlan, { plan }: Addressee, names: readonly string[]): string {
  return `${literal(direction)}, ARRAY[${names.map(literal).join(', ')}]::text[], ${plan.batch}`;
}

function digestLiteral(digest: string | null): string {
  return digest === null ? 'NULL' : literal(digest);
}

/** tenantctl.enter (src/core/stamps/server-side.ts). */
function enter(target: Target, expected: string | null, options: SendingOptions): string {
  const values = [
    literal(target.schema),
    digestLiteral(expected),
    `ARRAY[${options.statuses.map(literal).join(', ')}]`,
    options.lockTimeoutMs,
    IDLE_TIMEOUT_MS,
    options.canCheckClient ? CLIENT_CHECK_INTERVAL_MS : 'NULL',
  ];
  return `SELECT tenantctl.enter(${values.join(', ')})`;
}

/** Statements as one string. Each stands on lines of its own: a text may end in a comment. */
export function asOneString(statements: readonly string[]): string {
  return statements.join('\n;\n');
}
