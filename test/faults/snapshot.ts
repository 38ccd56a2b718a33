import { escapeIdentifier, escapeLiteral } from 'pg';
import { APPLICATION } from './calls.ts';
import { readContents } from './content.ts';
import type { FaultDatabase, Query } from './databases.ts';

/** A tenant, or a schema that looks like one. */
export interface TenantSnapshot {
  readonly schema: string;
  /** Undefined if the registry has no row with this schema. */
  readonly organization: string | undefined;
  readonly status: string | undefined;
  readonly hasSchema: boolean;
}

/** A schema with a history: `public` or a tenant's. */
export interface SchemaSnapshot {
  readonly schema: string;
  readonly history: readonly string[];
  readonly content: readonly string[];
}

export interface IntentSnapshot {
  readonly schema: string;
  readonly migration: string;
  readonly direction: 'up' | 'down';
}

/** A verb of several transactions that has begun and not ended. */
interface VerbSnapshot {
  readonly schema: string;
  readonly organization: string | null;
  readonly verb: string;
}

/** A tenant that was dropped. */
interface TombstoneSnapshot {
  readonly schema: string;
  readonly backup: string | null;
}

/** A row of tenantctl.backups. */
interface BackupSnapshot {
  readonly schema: string;
  readonly file: string;
  readonly sha256: string;
}

/** One transaction of a run, from the ledger. */
export interface DeedSnapshot {
  readonly schema: string;
  readonly direction: 'up' | 'down';
  readonly names: readonly string[];
  readonly outcome: string;
}

/** Everything judged about a database, read without tenantctl. */
export interface Snapshot {
  readonly tenants: readonly TenantSnapshot[];
  readonly schemas: readonly SchemaSnapshot[];
  readonly intents: readonly IntentSnapshot[];
  readonly verbs: readonly VerbSnapshot[];
  readonly tombstones: readonly TombstoneSnapshot[];
  readonly backups: readonly BackupSnapshot[];
  /** Schemas that are neither PostgreSQL's, tenantctl's, `public` nor named like a tenant's. */
  readonly besides: readonly string[];
  readonly deeds: readonly DeedSnapshot[];
  /** The ledger's runs with their process ids. */
  readonly runs: readonly { readonly id: number; readonly pid: number; readonly outcome: string | null }[];
  /** What the application's role has in each schema; in `public` also that tenantctl remembers it. */
  readonly rights: Readonly<Record<string, readonly string[]>>;
  /** Held locks, claimed Knex lock rows, and prepared transactions. */
  readonly locks: readonly string[];
  /** Schemas whose valid stamp contradicts the history. */
  readonly lyingStamps: readonly string[];
}

export function takeSnapshot(database: Pick<FaultDatabase, 'session'>): Promise<Snapshot> {
  return database.session(readSnapshot);
}

async function readSnapshot(query: Query): Promise<Snapshot> {
  const tenants = await readTenants(query);
  const histories = await readHistories(query);
  const schemas = [
    ...new Set(['public', ...tenants.filter(({ hasSchema }) => hasSchema).map(({ schema }) => schema)]),
  ];
  const contents = await readContents(query, schemas);
  return {
    tenants,
    schemas: schemas.map((schema, at) => ({
      schema,
      history: histories.get(schema) ?? [],
      content: contents[at] ?? [],
    })),
    besides: await readBesides(query),
    rights: await readRights(query),
    locks: await readLocks(query),
    ...(await readOwn(query)),
  };
}

async function readTenants(query: Query): Promise<TenantSnapshot[]> {
  const [{ present } = { present: false }] = await query<{ present: boolean }>(
    `SELECT to_regclass('public.tenants') IS NOT NULL AS present`,
  );
  const rows = await query<{
    schema: string;
    organization: string | null;
    status: string | null;
    has_schema: boolean;
  }>(
    `SELECT coalesce(t.schema_name, n.nspname) AS schema, t.clerk_org_id AS organization, t.status::text AS status,
            n.nspname IS NOT NULL AS has_schema
     FROM ${present ? 'public.tenants' : '(SELECT NULL AS schema_name, NULL AS clerk_org_id, NULL AS status WHERE false)'} t
     FULL JOIN (SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'tid\\_%') n ON n.nspname = t.schema_name
     ORDER BY 1`,
  );
  return rows.map(({ schema, organization, status, has_schema: hasSchema }) => ({
    schema,
    organization: organization ?? undefined,
    status: status ?? undefined,
    hasSchema,
  }));
}

async function readBesides(query: Query): Promise<string[]> {
  const rows = await query<{ name: string }>(
    `SELECT nspname::text AS name FROM pg_namespace
     WHERE nspname !~ '^(pg_|tid_)' AND nspname NOT IN ('public', 'tenantctl', 'information_schema') ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
}

async function readHistories(query: Query): Promise<ReadonlyMap<string, string[]>> {
  const tables = await query<{ schema: string; name: string }>(
    `SELECT schemaname AS schema, tablename AS name FROM pg_tables
     WHERE tablename IN ('knex_migrations_master', 'knex_migrations_tenant')`,
  );
  if (tables.length === 0) return new Map();
  const rows = await query<{ schema: string; names: string[] }>(
    tables
      .map(
        ({ schema, name }) =>
          `SELECT ${escapeLiteral(schema)} AS schema, coalesce(array_agg(name::text ORDER BY id), '{}') AS names
           FROM ${escapeIdentifier(schema)}.${escapeIdentifier(name)}`,
      )
      .join(' UNION ALL '),
  );
  return new Map(rows.map(({ schema, names }) => [schema, names]));
}

async function readRights(query: Query): Promise<Snapshot['rights']> {
  const role = escapeLiteral(APPLICATION);
  const [{ present } = { present: false }] = await query<{ present: boolean }>(
    `SELECT to_regclass('tenantctl.application_roles') IS NOT NULL AS present`,
  );
  const rows = await query<{ schema: string; rights: string[] }>(
    `SELECT schema, array_agg(name ORDER BY name) AS rights FROM (
       SELECT n.nspname::text AS schema, a.privilege_type AS name, a.grantee FROM pg_namespace n, aclexplode(n.nspacl) a
       UNION ALL SELECT c.relnamespace::regnamespace::text, a.privilege_type || ' ' || c.relname, a.grantee
       FROM pg_class c, aclexplode(c.relacl) a
       UNION ALL SELECT d.defaclnamespace::regnamespace::text, 'default ' || a.privilege_type || ' ' || d.defaclobjtype::text, a.grantee
       FROM pg_default_acl d, aclexplode(d.defaclacl) a
       ${present ? `UNION ALL SELECT 'public', 'remembered', ${role}::regrole FROM tenantctl.application_roles` : ''}
     ) x WHERE grantee = ${role}::regrole GROUP BY schema`,
  );
  return Object.fromEntries(rows.map(({ schema, rights }) => [schema, rights]));
}

async function readLocks(query: Query): Promise<string[]> {
  const knex = await query<{ schema: string; name: string }>(
    `SELECT schemaname AS schema, tablename AS name FROM pg_tables WHERE tablename ~ '^knex_migrations_.*_lock$'`,
  );
  const rows = await query<{ lock: string }>(
    [
      `SELECT format('advisory lock %s/%s of process %s', classid, objid, pid) AS lock FROM pg_locks
       WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      `SELECT 'prepared transaction ' || gid FROM pg_prepared_xacts WHERE database = current_database()`,
      ...knex.map(
        ({ schema, name }) =>
          `SELECT ${escapeLiteral(`Knex's own lock in ${schema}.${name}`)}
           FROM ${escapeIdentifier(schema)}.${escapeIdentifier(name)} WHERE is_locked <> 0`,
      ),
    ].join(' UNION ALL '),
  );
  return rows.map(({ lock }) => lock);
}

type Own = 'intents' | 'verbs' | 'tombstones' | 'backups' | 'deeds' | 'runs' | 'lyingStamps';

async function readOwn(query: Query): Promise<Pick<Snapshot, Own>> {
  const [{ present } = { present: false }] = await query<{ present: boolean }>(
    `SELECT to_regclass('tenantctl.runs') IS NOT NULL AS present`,
  );
  if (!present)
    return { intents: [], verbs: [], tombstones: [], backups: [], deeds: [], runs: [], lyingStamps: [] };
  const lying = await query<{ schema_name: string }>(
    // Materialized: only schemas of trusted stamps have a history to read.
    `WITH stamps AS MATERIALIZED (SELECT schema_name, digest FROM tenantctl.trusted_stamps)
     SELECT schema_name FROM stamps WHERE digest <> (tenantctl.read_history(schema_name)).digest`,
  );
  return {
    intents: await query<IntentSnapshot>(
      `SELECT coalesce(schema_name, 'public') AS schema, migration, direction
       FROM tenantctl.intents LEFT JOIN tenantctl.tenants t ON t.id = tenant ORDER BY 1`,
    ),
    verbs: await query(
      `SELECT schema_name AS schema, clerk_org_id AS organization, verb FROM tenantctl.verb_intents LEFT JOIN tenantctl.tenants t ON t.id = tenant
       ORDER BY 1`,
    ),
    tombstones: await query(
      `SELECT schema_name AS schema, backup_file AS backup FROM tenantctl.tenants WHERE dropped_at IS NOT NULL ORDER BY id`,
    ),
    backups: await query(
      `SELECT schema_name AS schema, file, sha256 FROM tenantctl.backups b JOIN tenantctl.tenants t ON t.id = b.tenant
       ORDER BY b.id`,
    ),
    deeds: await query<DeedSnapshot>(
      `SELECT schema_name AS schema, direction, names, outcome FROM tenantctl.run_tenants
       WHERE outcome <> 'failed' ORDER BY ended_at`,
    ),
    runs: await query('SELECT id::int AS id, pid, outcome FROM tenantctl.runs ORDER BY id'),
    lyingStamps: lying.map(({ schema_name }) => schema_name),
  };
}
