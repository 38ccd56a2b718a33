import type { Content } from '../content/content.ts';
import type { Shape } from '../shape/shape.ts';
import type { Script } from '../state/scripts.ts';
import type { FORMAT } from './format.ts';

export interface BackedUpMigration {
  readonly name: string;
  /** Of its file when any tenant first applied it; null if tenantctl did not see that. */
  readonly checksum: string | null;
  readonly batch: number;
  /** As in Knex's column migration_time, in UTC. */
  readonly time: string | null;
}

/** Everything that a backup knows of a tenant besides its rows. JSON. */
export interface Manifest {
  readonly format: typeof FORMAT;
  readonly clerkOrgId: string;
  readonly schema: string;
  /** In the registry, in tenantctl's words. */
  readonly status: string;
  /** The version of PostgreSQL, as the server says it. */
  readonly server: string;
  /** The time of the snapshot, ISO 8601. */
  readonly madeAt: string;
  /** The version of tenantctl. */
  readonly tenantctl: string;
  /** In the order in which they were applied. */
  readonly migrations: readonly BackedUpMigration[];
  /** The repeatable scripts that the schema had. */
  readonly scripts: readonly Script[];
  readonly seeds: readonly Script[];
  readonly shape: Shape;
  readonly content: Content;
  /** What measureContent says of each table of `content`, in its order. */
  readonly measures: readonly Measure[];
}

export interface Measure {
  readonly table: string;
  readonly rows: number;
  /** Of the rows in any order. */
  readonly hash: string;
}

/** Whether parsed JSON has the parts of a manifest. Its bytes were compared with their hash before. */
export function isManifest(value: unknown): value is Manifest {
  const manifest = (value ?? {}) as Partial<Record<keyof Manifest, unknown>>;
  const { content, shape, migrations, measures } = manifest as Partial<Manifest>;
  return (
    typeof manifest.clerkOrgId === 'string' &&
    typeof manifest.schema === 'string' &&
    Array.isArray(migrations) &&
    Array.isArray(measures) &&
    Array.isArray(shape?.objects) &&
    Array.isArray(content?.tables) &&
    content.tables.every(({ name }) => typeof name === 'string')
  );
}
