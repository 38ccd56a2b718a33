import type { Call } from './calls.ts';
import type { Between } from './verb-states.ts';

/** A command under test and its starting point. */
export interface Scenario {
  readonly id: string;
  /** The calls that bring an empty database to the start. */
  readonly before: readonly Call[];
  /** Run in the database after that. */
  readonly sql?: string;
  /** The command. A second call finishes what the first began. */
  readonly call: Call;
  /** Calls from the same start that produce every intermediate history. */
  readonly steps: readonly Call[];
  readonly organizations: readonly string[];
  /** Some migrations run outside a transaction: a tenant may stop between two of them. */
  readonly hasOutside: boolean;
  /** A second, undisturbed process runs the same command at the same time. */
  readonly isShared?: boolean;
  /** For a verb of a tenant's life, and what is alike: each tenant is as before, as afterwards, or as allowed in between. */
  readonly verb?: VerbRules;
}

/** What is allowed for the scenario's organizations; all other tenants stay as they are. */
interface VerbRules {
  readonly between: Between;
  /** The error code of the next call if the first has done everything; it succeeds if absent. */
  readonly onceDone?: string;
  /** Schemas of no tenant that it may leave for its next call. */
  readonly beside?: RegExp;
  /** The next call if the ledger has the first one: without it, the same is done twice. */
  readonly resume?: Call;
  /** Backups into the case's folder: the disk may be full there. */
  readonly writesFiles?: boolean;
}
