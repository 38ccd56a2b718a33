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

type Rule = (value: unknown) => boolean;

const isText: Rule = (value) => typeof value === 'string';
/** Up to 63 bytes, as PostgreSQL takes them. */
const isName: Rule = (value) =>
  typeof value === 'string' && value !== '' && Buffer.byteLength(value) < 64 && !value.includes('\0');
const isFlag: Rule = (value) => typeof value === 'boolean';
const isCount: Rule = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
const orNull =
  (rule: Rule): Rule =>
  (value) =>
    value === null || rule(value);
const listOf =
  (rule: Rule): Rule =>
  (value) =>
    Array.isArray(value) && value.every(rule);
const having =
  (rules: Readonly<Record<string, Rule>>): Rule =>
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    Object.entries(rules).every(([key, rule]) => rule((value as Record<string, unknown>)[key]));

const isScript = having({ name: isText, checksum: isText });

const hasParts = having({
  clerkOrgId: isText,
  schema: isName,
  status: isText,
  server: isText,
  madeAt: isText,
  tenantctl: isText,
  migrations: listOf(
    having({ name: isText, checksum: orNull(isText), batch: Number.isSafeInteger, time: orNull(isText) }),
  ),
  scripts: listOf(isScript),
  seeds: listOf(isScript),
  shape: having({ digest: isText, objects: listOf(having({ kind: isText, name: isText, sql: isText })) }),
  content: having({
    tables: listOf(having({ name: isName, columns: listOf(isName) })),
    sequences: listOf(
      having({ name: isName, lastValue: (value) => /^-?\d{1,19}$/.test(String(value)), isCalled: isFlag }),
    ),
    materializedViews: listOf(having({ name: isName, isPopulated: isFlag })),
  }),
  measures: listOf(having({ table: isText, rows: isCount, hash: isText })),
});

/**
 * Whether parsed JSON is a manifest. Its bytes were compared with their hash before; but whoever writes a file can write
 * the hash as well, and parts of it become SQL.
 */
export function isManifest(value: unknown): value is Manifest {
  if (!hasParts(value)) return false;
  const { content, measures } = value as Manifest;
  const tables = content.tables.map(({ name }) => name);
  return (
    new Set(tables).size === tables.length &&
    JSON.stringify(tables) === JSON.stringify(measures.map(({ table }) => table))
  );
}
