import type { Attempt } from './attempt.ts';
import type { VectorExtensionMode } from '../run/vector-extension.ts';
import type { ConnectionFacts } from './connection.ts';
import type { EnvironmentFacts } from './environment-checks.ts';
import type { Folders } from './folders.ts';
import type { RegistryFacts } from './registry-facts.ts';
import type { RightsFacts } from './rights-facts.ts';
import type { TenantRoleFacts } from './tenant-roles.ts';
import type { VectorFacts } from './vector-check.ts';
import type { DatabaseSettings } from '../../db/database.ts';

export interface DiagnoseOptions {
  /** process.versions.node */
  readonly nodeVersion: string;
  /** Where the settings came from; nothing is said about it where absent. */
  readonly environment?: EnvironmentFacts | undefined;
  /** Absent where the configuration does not yield one: everything that needs a database is skipped then. */
  readonly database: DatabaseSettings | undefined;
  /** The folders of the migrations; absent where the configuration does not tell. */
  readonly folders?:
    | {
        readonly master: string;
        readonly tenants: string;
        /** Named by a variable, so that a folder that does not exist is a mistake in the configuration. */
        readonly masterIsNamed?: boolean | undefined;
        readonly tenantsIsNamed?: boolean | undefined;
      }
    | undefined;
  readonly vectorExtension?: VectorExtensionMode | undefined;
  /** The pattern of the roles that tenant schemas belong to, as in RunOptions; absent where they have none. */
  readonly tenantRole?: string | undefined;
  /** How many tenants are to be worked on at once; tenantctl's default where absent. */
  readonly concurrency?: number | undefined;
}

/** Everything that was found, before anything is said about it. */
export interface Facts {
  readonly options: DiagnoseOptions;
  readonly now: Date;
  readonly folders: Folders | undefined;
  readonly connection: ConnectionFacts;
  /** Absent where there is no connection. */
  readonly contents: Contents | undefined;
}

/** What is in the database. */
export interface Contents {
  readonly rights: Attempt<RightsFacts>;
  readonly vector: Attempt<VectorFacts>;
  readonly registry: Attempt<RegistryFacts>;
  /** Absent without a tenantRole. */
  readonly tenantRole?: Attempt<TenantRoleFacts> | undefined;
}
