import { literal } from '../../db/sql.ts';
import type { Database } from '../../db/database.ts';
import { tenantId } from './tenant-ids.ts';

/** `repeatable`: applied again when its file changes. `seed`: fills a tenant with rows. */
export type ScriptKind = 'repeatable' | 'seed';

/** A file of SQL or code, and what it was when it was applied. */
export interface Script {
  /** The file's name. */
  readonly name: string;
  /** From checksumOf (src/core/files/source.ts). */
  readonly checksum: string;
}

/**
 * The scripts that each tenant has. A row belongs to a tenant, whatever its names are, and to the schema that the
 * script was applied to: a schema that was dropped, or restored from a dump, is another one. Seeds stay remembered
 * after a restore (src/core/registry/server-routines.ts): their rows were in the dump.
 */
export const SCRIPTS_TABLE: readonly string[] = [
  `CREATE TABLE tenantctl.scripts (
     tenant bigint NOT NULL,
     kind text NOT NULL CHECK (kind IN ('repeatable', 'seed')),
     name text NOT NULL,
     checksum text NOT NULL,
     schema_oid oid NOT NULL,
     applied_at timestamptz NOT NULL DEFAULT now(),
     run bigint,
     PRIMARY KEY (tenant, kind, name))`,
  `COMMENT ON TABLE tenantctl.scripts IS
     'The scripts that each tenant has, besides migrations, with the checksum of each file when it was applied.'`,
  `COMMENT ON COLUMN tenantctl.scripts.schema_oid IS 'The schema in pg_namespace that the script was applied to.'`,
];

interface Record {
  readonly schema: string;
  readonly kind: ScriptKind;
  readonly run: number | undefined;
}

/** For the transaction that applies the scripts. It records nothing for a tenant that tenantctl does not know. */
export function recordScripts(scripts: readonly Script[], { schema, kind, run }: Record): string {
  return `INSERT INTO tenantctl.scripts (tenant, kind, name, checksum, schema_oid, run)
    SELECT k.id, ${literal(kind)}, s.name, s.checksum, n.oid, ${run ?? 'NULL'}::bigint
    FROM (VALUES ${valuesOf(scripts)}) AS s (name, checksum), tenantctl.tenants k, pg_namespace n
    WHERE k.schema_name = ${literal(schema)} AND k.gone_at IS NULL AND n.nspname = k.schema_name
    ON CONFLICT (tenant, kind, name) DO UPDATE
    SET checksum = excluded.checksum, schema_oid = excluded.schema_oid, applied_at = excluded.applied_at, run = excluded.run`;
}

/**
 * SQL for the names of those scripts that a tenant has in the same form, in an array.
 * @param run only what this run has applied; whatever run has if undefined
 */
export function selectApplied(scripts: readonly Script[], { schema, kind, run }: Record): string {
  return `ARRAY(SELECT s.name FROM (VALUES ${valuesOf(scripts)}) AS f (name, checksum)
    JOIN tenantctl.scripts s USING (name, checksum)
    WHERE s.tenant = ${tenantId(schema)} AND s.kind = ${literal(kind)}
      AND s.schema_oid = to_regnamespace(quote_ident(${literal(schema)}))${run === undefined ? '' : ` AND s.run = ${run}`})`;
}

function valuesOf(scripts: readonly Script[]): string {
  return scripts.map(({ name, checksum }) => `(${literal(name)}, ${literal(checksum)})`).join(', ');
}

/**
 * For the transaction of these steps: records the scripts among them. A migration may have dropped what the scripts
 * make, so after it, or its undoing, the tenant has none of them.
 */
export function recordSteps(
  steps: readonly { readonly file: { readonly script?: Script | undefined } }[],
  { schema, run }: Pick<Record, 'schema' | 'run'>,
): string[] {
  const scripts = steps.flatMap(({ file }) => file.script ?? []);
  return [
    ...(scripts.length < steps.length ? [forgetRepeatable(schema)] : []),
    ...(scripts.length === 0 ? [] : [recordScripts(scripts, { schema, kind: 'repeatable', run })]),
  ];
}

/** For the transaction that writes the history: see recordSteps. */
export function forgetRepeatable(schema: string): string {
  return `${forgetScripts(schema)} AND kind = 'repeatable'`;
}

/** SQL for the repeatable scripts that the schema has, as a JSON array of Script; NULL if there are none. */
export function selectScripts(schema: string): string {
  return `(SELECT jsonb_agg(jsonb_build_object('name', s.name, 'checksum', s.checksum))
           FROM tenantctl.scripts s JOIN pg_namespace n ON n.oid = s.schema_oid
           WHERE s.tenant = ${tenantId(schema)} AND s.kind = 'repeatable' AND n.nspname = ${literal(schema)})`;
}

/** For the transaction that copies all rows of one tenant into another one, which has no seeds yet. */
export function copySeeds(from: string, to: string, run: number | undefined): string {
  return `INSERT INTO tenantctl.scripts (tenant, kind, name, checksum, schema_oid, run)
    SELECT ${tenantId(to)}, s.kind, s.name, s.checksum, to_regnamespace(quote_ident(${literal(to)})), ${run ?? 'NULL'}::bigint
    FROM tenantctl.scripts s WHERE s.tenant = ${tenantId(from)} AND s.kind = 'seed'`;
}

/** For FROM: how many of these repeatable scripts each schema has as they are, as `current`, by `schema_oid`. */
export function countScripts(scripts: readonly Script[]): string {
  return `(SELECT s.schema_oid, count(DISTINCT s.name) AS current
           FROM tenantctl.scripts s JOIN (VALUES ${valuesOf(scripts)}) AS f (name, checksum) USING (name, checksum)
           WHERE s.kind = 'repeatable' GROUP BY s.schema_oid)`;
}

/** For the transaction that drops the schema. */
export function forgetScripts(schema: string): string {
  return `DELETE FROM tenantctl.scripts WHERE tenant = ${tenantId(schema)}`;
}

/**
 * The scripts that tenants have, by the schema's current name; one query. A schema without any is not in the map.
 * @param schemas all if absent
 */
export async function readScripts(
  database: Pick<Database, 'query'>,
  kind: ScriptKind,
  schemas?: readonly string[],
): Promise<ReadonlyMap<string, readonly Script[]>> {
  const { rows } = await database.query<{ schema: string; scripts: Script[] }>(
    `SELECT n.nspname::text AS schema, jsonb_agg(jsonb_build_object('name', s.name, 'checksum', s.checksum)) AS scripts
     FROM tenantctl.scripts s JOIN pg_namespace n ON n.oid = s.schema_oid
     WHERE s.kind = $1 AND ($2::text[] IS NULL OR n.nspname = ANY ($2::text[]))
     GROUP BY n.nspname`,
    [kind, schemas ?? null],
  );
  return new Map(rows.map(({ schema, scripts }) => [schema, scripts]));
}

/** Those of the files that a tenant lacks, or has in another form, in their order. Pure. */
export function outdatedScripts<File extends Script>(
  files: readonly File[],
  applied: readonly Script[] = [],
): File[] {
  const checksums = new Map(applied.map(({ name, checksum }) => [name, checksum]));
  return files.filter(({ name, checksum }) => checksums.get(name) !== checksum);
}
