import type { DatabaseSettings } from '../../db/database.ts';
import type { Names } from '../../names.ts';
import type { VectorExtensionMode } from '../run/vector-extension.ts';
import type { Attempt } from './attempt.ts';
import type { ConnectionFacts } from './connection.ts';
import type { EnvironmentFacts } from './environment-checks.ts';
import type { Folders } from './folders.ts';
import type { RegistryFacts } from './registry-facts.ts';
import type { RightsFacts } from './rights.ts';
import type { TenantRoleFacts } from './tenant-roles.ts';
import type { VectorFacts } from './vector-check.ts';

export interface DiagnoseOptions {
  /** process.versions.node */
  readonly nodeVersion: string;
  /** Where the settings came from; not checked if absent. */
  readonly environment?: EnvironmentFacts | undefined;
  /** Absent if the configuration has none: checks that need a database are skipped. */
  readonly database: DatabaseSettings | undefined;
  /** What the database calls the registry and the history tables; DEFAULT_NAMES if absent. */
  readonly databaseNames?: Names | undefined;
  /** The folders of the migrations; absent if the configuration is not known. */
  readonly folders?:
    | {
        readonly master: string;
        readonly tenants: string;
        /** Named by a variable: if it does not exist, the configuration is wrong. */
        readonly masterIsNamed?: boolean | undefined;
        readonly tenantsIsNamed?: boolean | undefined;
      }
    | undefined;
  readonly vectorExtension?: VectorExtensionMode | undefined;
  /** The pattern of the tenants' roles, as in RunOptions; absent if they have none. */
  readonly tenantRole?: string | undefined;
  /** The number of tenants in parallel; tenantctl's default if absent. */
  readonly concurrency?: number | undefined;
}

/** Everything that was found. */
export interface Facts {
  readonly options: DiagnoseOptions;
  readonly now: Date;
  readonly folders: Folders | undefined;
  readonly connection: ConnectionFacts;
  /** Absent without a connection. */
  readonly contents: Contents | undefined;
}

/** What is in the database. */
export interface Contents {
  readonly rights: Attempt<RightsFacts>;
  readonly vector: Attempt<VectorFacts>;
  readonly registry: Attempt<RegistryFacts>;
  /** Absent without a tenantRole. */
  readonly tenantRole: Attempt<TenantRoleFacts> | undefined;
}
