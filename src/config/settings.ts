import type { DatabaseSettings } from '../db/database.ts';
import type { Names } from '../names.ts';
import type { TlsFiles } from './libpq.ts';

/** Untrusted text. */
export type Variables = Readonly<Record<string, string | undefined>>;

export interface Settings {
  readonly database: DatabaseSettings;
  readonly tlsFiles: TlsFiles;
  readonly names: Names;
  readonly folders: FolderSettings;
  readonly vectorExtension: 'auto' | 'require' | 'off';
  /** Milliseconds that a migration's statement may wait for a lock; 0 for no limit. */
  readonly lockTimeoutMs: number;
  /** Milliseconds that a migration's statement may take; 0 for no limit, the server's default if absent. */
  readonly statementTimeoutMs: number | undefined;
  /** Retries per tenant after a transient error; core's default if absent. */
  readonly retries: number | undefined;
  /** Runs per command that the ledger keeps; core's default if absent. */
  readonly keepRuns: number | undefined;
  /** Whether recordings are kept and used; core's default if absent. */
  readonly recordings: boolean | undefined;
  /** What a run belongs to, such as a commit; the ledger records it. */
  readonly runLabel: string | undefined;
  /** Milliseconds to wait for another run on the same schema. */
  readonly lockWaitMs: number;
  /** Pattern for tenants' role names, with `{schema}`; no roles if absent. */
  readonly tenantRole: string | undefined;
  /** The secret key of masks. */
  readonly maskKey: string | undefined;
}

export interface FolderSettings {
  readonly master: string;
  readonly tenants: string;
  readonly seeds: string;
  /** The repeatable scripts of the tenants; absent if no variable names a folder and the usual ones do not exist. */
  readonly repeatable?: string | undefined;
  /** A variable names the folder, so it must exist. */
  readonly masterIsNamed: boolean;
  readonly tenantsIsNamed: boolean;
  readonly seedsIsNamed: boolean;
  readonly repeatableIsNamed: boolean;
}

export interface Problem {
  /** The variable at fault, or several. */
  readonly variable: string;
  readonly message: string;
  /** What to do, unless simply to correct the variable. */
  readonly remedy?: string | undefined;
}
