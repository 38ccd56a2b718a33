import type { DatabaseSettings } from '../db/database.ts';
import type { Names } from '../names.ts';

/** The configuration, checked and typed. */
export interface Settings {
  readonly database: DatabaseSettings;
  /** What the database calls the registry and the history tables. */
  readonly names: Names;
  readonly folders: FolderSettings;
  readonly vectorExtension: 'auto' | 'require' | 'off';
  /** Milliseconds that a statement of a migration may wait for a lock; 0 for no limit. */
  readonly lockTimeoutMs: number;
  /** Milliseconds that a statement of a migration may take; the server's default if absent, 0 for no limit. */
  readonly statementTimeoutMs: number | undefined;
  /** How often a tenant is retried after an error that may pass; core's default if absent. */
  readonly retries: number | undefined;
  /** How many runs of a command the ledger keeps; core's default if absent. */
  readonly keepRuns: number | undefined;
  /** Milliseconds to wait for another run that works on the same schema. */
  readonly lockWaitMs: number;
  /** The name of each tenant's role, with `{schema}` for its schema; tenants have no role if absent. */
  readonly tenantRole: string | undefined;
  /** Settings that work but are not safe. */
  readonly warnings: readonly Problem[];
}

/** Where the migrations are. */
export interface FolderSettings {
  readonly master: string;
  readonly tenants: string;
  /** A variable names the folder, so it must exist. */
  readonly masterIsNamed: boolean;
  readonly tenantsIsNamed: boolean;
}

/** One problem of the configuration. */
export interface Problem {
  /** The wrong variable, or several. */
  readonly variable: string;
  readonly message: string;
  /** What to do, if that is not simply to correct the variable. */
  readonly remedy?: string | undefined;
}
