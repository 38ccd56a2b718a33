import type { PoolClient } from 'pg';
import { literal, qualified } from '../../db/sql.ts';
import type { Names } from '../../names.ts';
import { stemOf } from '../files/source.ts';
import type { Script } from '../state/scripts.ts';
import { tenantId } from '../state/tenant-ids.ts';
import type { Manifest } from './manifest.ts';

type Records = Pick<Manifest, 'server' | 'madeAt' | 'migrations' | 'scripts' | 'seeds'>;

/** What is recorded of a tenant: its history with the checksums of the files, repeatable scripts and seeds. */
export async function readRecords(client: PoolClient, schema: string, names: Names): Promise<Records> {
  const { rows: found } = await client.query<{ server: string; madeAt: string; history: string | null }>(
    `SELECT current_setting('server_version') AS server, ${utc('now()')} AS "madeAt",
            to_regclass(${literal(qualified(schema, names.tenantHistory))})::text AS history`,
  );
  const { server = '', madeAt = '', history = null } = found[0] ?? {};
  const migrations =
    history === null ? [] : await readMigrations(client, qualified(schema, names.tenantHistory));
  const { rows: scripts } = await client.query<Script & { readonly kind: string }>(
    `SELECT s.kind, s.name, s.checksum FROM tenantctl.scripts s JOIN pg_namespace n ON n.oid = s.schema_oid
     WHERE s.tenant = ${tenantId(schema)} AND n.nspname = ${literal(schema)} ORDER BY s.name COLLATE "C"`,
  );
  const ofKind = (kind: string) =>
    scripts.filter((script) => script.kind === kind).map(({ name, checksum }) => ({ name, checksum }));
  return { server, madeAt, migrations, scripts: ofKind('repeatable'), seeds: ofKind('seed') };
}

async function readMigrations(client: PoolClient, history: string): Promise<Records['migrations']> {
  const { rows } = await client.query<{ name: string; batch: number; time: string | null }>(
    `SELECT name, coalesce(batch, 0) AS batch, ${utc('migration_time')} AS time FROM ${history}
     WHERE name IS NOT NULL ORDER BY coalesce(batch, 0), id`,
  );
  const { rows: files } = await client.query<{ stem: string; checksum: string }>(
    `SELECT stem, checksum FROM tenantctl.migration_files WHERE scope = 'tenants' AND stem = ANY ($1::text[])`,
    [rows.map(({ name }) => stemOf(name))],
  );
  const checksums = new Map(files.map(({ stem, checksum }) => [stem, checksum]));
  return rows.map(({ name, batch, time }) => ({
    name,
    checksum: checksums.get(stemOf(name)) ?? null,
    batch,
    time,
  }));
}

/** SQL for a time in ISO 8601. */
function utc(time: string): string {
  return `to_char(${time} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}
