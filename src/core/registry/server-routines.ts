import { literal } from '../../db/sql.ts';
import type { Names } from '../../names.ts';
import { routine, type Routine } from '../state/routine.ts';
import { FORMER } from '../state/tenant-ids.ts';
import { registrySql } from './registry-sql.ts';

/**
 * Keeps tenant ids (src/core/state/tenant-ids.ts) in step with the registry.
 *
 * A registry row is the known tenant with both of its names. If there is none, it is the first of these: the
 * tenant with the schema's oid and one of the names; with the schema's name; with the organization id. The
 * schema comes first because the recorded facts are about a schema: if two organizations swap schemas, they
 * stay with the schema. If only the oid matches, both names have changed, which is reported and not decided.
 * A tenant that has left the registry is found only by its oid: a new tenant under the old names is a
 * different one.
 *
 * A row that gives a known organization the schema of another one, which the registry still has, may have been
 * swapped with that one's row: it is reported as well, and both tenants stay as they are known.
 *
 * A schema with another oid was made anew, or restored from a dump if it has a history. The rows that seeds have
 * written were in the dump, so those seeds stay remembered.
 */
export function tenantRoutines(names: Names): Routine[] {
  return [registryChanges(names), followRegistry(names)];
}

/** SQL that tests tenant k for being a schema beside a tenant's own, which a verb at work has made: it has no row. */
const IS_BESIDE =
  '(k.clerk_org_id IS NULL AND EXISTS (SELECT FROM tenantctl.verb_intents v WHERE v.tenant = k.id))';

/** The rows of the registry t with both names as text. */
function registeredIn(names: Names): string {
  const { table, organization, schema } = registrySql(names);
  return `SELECT t.${organization}::text AS organization, t.${schema}::text AS schema_name FROM ${table} t`;
}

function registryChanges(names: Names): Routine {
  const registered = registeredIn(names);
  return routine(
    'registry_changes() RETURNS TABLE (organization text, schema_name text, schema_oid oid, tenant bigint, is_ambiguous boolean)',
    `BEGIN
       RETURN QUERY
         WITH registered AS (${registered}), changed AS MATERIALIZED (
           SELECT DISTINCT ON (r.schema_name) r.organization, r.schema_name, n.oid
           FROM registered r LEFT JOIN pg_namespace n ON n.nspname = r.schema_name
           WHERE r.organization <> '' AND r.schema_name <> '' AND NOT EXISTS (
             SELECT FROM tenantctl.tenants k
             WHERE k.schema_name = r.schema_name AND k.clerk_org_id = r.organization AND k.gone_at IS NULL)
           ORDER BY r.schema_name, r.organization
         ), loose AS MATERIALIZED (
           SELECT k.* FROM tenantctl.tenants k
           WHERE EXISTS (SELECT FROM changed) AND (k.gone_at IS NOT NULL OR NOT EXISTS (
             SELECT FROM registered r WHERE r.schema_name = k.schema_name AND r.organization = k.clerk_org_id))
         ), candidates AS (
           SELECT 1 AS rank, c.schema_name, k.id FROM changed c JOIN loose k ON k.schema_oid = c.oid
           WHERE k.schema_name = c.schema_name OR k.clerk_org_id = c.organization
           UNION ALL
           SELECT 2, c.schema_name, k.id FROM changed c JOIN loose k ON k.schema_name = c.schema_name
           WHERE k.gone_at IS NULL
           UNION ALL
           SELECT 3, c.schema_name, k.id FROM changed c JOIN loose k ON k.clerk_org_id = c.organization
           WHERE k.gone_at IS NULL
           UNION ALL
           SELECT 4, c.schema_name, k.id FROM changed c JOIN loose k ON k.schema_oid = c.oid
         ), of_tenant AS (
           SELECT DISTINCT ON (c.id) c.* FROM candidates c ORDER BY c.id, c.rank, c.schema_name
         ), found AS (
           SELECT DISTINCT ON (o.schema_name) o.* FROM of_tenant o ORDER BY o.schema_name, o.rank, o.id
         )
         SELECT c.organization, c.schema_name, c.oid, f.id, coalesce(f.rank = 4, false) OR (
           k.clerk_org_id <> c.organization
           AND EXISTS (SELECT FROM registered r WHERE r.organization = k.clerk_org_id)
           AND EXISTS (
             SELECT FROM tenantctl.tenants other
             WHERE other.clerk_org_id = c.organization AND other.id <> k.id AND other.gone_at IS NULL))
         FROM changed c
         LEFT JOIN found f ON f.schema_name = c.schema_name
         LEFT JOIN tenantctl.tenants k ON k.id = f.id;
     EXCEPTION WHEN undefined_table OR undefined_column THEN
       RETURN;
     END`,
    'The rows of the registry under whose names tenantctl knows no tenant, each with the tenant that it is. None where there is no registry.',
  );
}

function followRegistry(names: Names): Routine {
  const registered = registeredIn(names);
  return routine(
    'follow_registry() RETURNS TABLE (organization text, schema_name text, former jsonb, is_ambiguous boolean)',
    `BEGIN
       IF NOT EXISTS (
         SELECT FROM (SELECT a.* FROM (${registered}) a WHERE a.organization <> '' AND a.schema_name <> '') r
         FULL JOIN (SELECT * FROM tenantctl.tenants k WHERE k.gone_at IS NULL AND NOT ${IS_BESIDE}) k
           ON k.schema_name = r.schema_name AND k.clerk_org_id = r.organization
         LEFT JOIN pg_namespace n ON n.nspname = k.schema_name
         WHERE k.id IS NULL OR r.schema_name IS NULL OR n.oid <> k.schema_oid OR (n.oid IS NOT NULL AND k.schema_oid IS NULL)
       ) THEN
         RETURN;
       END IF;
       LOCK TABLE tenantctl.tenants IN SHARE ROW EXCLUSIVE MODE;
       RETURN QUERY
         WITH registered AS (${registered}), changes AS MATERIALIZED (
           SELECT c.* FROM tenantctl.registry_changes() c WHERE c.tenant IS NOT NULL
         ), changed AS (
           SELECT c.* FROM changes c WHERE NOT c.is_ambiguous
         ), becomes AS (
           SELECT c.tenant AS id, c.organization, c.schema_name, c.schema_oid, NULL::timestamptz AS gone_at, true AS is_renamed
           FROM changed c
           UNION ALL
           SELECT k.id, k.clerk_org_id, k.schema_name, coalesce(n.oid, k.schema_oid),
                  CASE WHEN r.schema_name IS NULL THEN now() END, false
           FROM tenantctl.tenants k
           LEFT JOIN registered r ON r.schema_name = k.schema_name AND r.organization = k.clerk_org_id
           LEFT JOIN pg_namespace n ON n.nspname = r.schema_name
           WHERE k.gone_at IS NULL AND NOT ${IS_BESIDE} AND NOT EXISTS (
               SELECT FROM changes c WHERE c.tenant = k.id AND (NOT c.is_ambiguous OR c.schema_name = k.schema_name))
             AND (r.schema_name IS NULL OR n.oid <> k.schema_oid OR k.schema_oid IS NULL)
         ), before AS MATERIALIZED (
           SELECT k.*, ${FORMER} AS former FROM tenantctl.tenants k JOIN changed c ON c.tenant = k.id
         ), written AS (
           UPDATE tenantctl.tenants k
           SET clerk_org_id = b.organization, schema_name = b.schema_name, schema_oid = b.schema_oid, gone_at = b.gone_at
           FROM becomes b WHERE b.id = k.id RETURNING k.id
         ), restored AS (
           UPDATE tenantctl.scripts x SET schema_oid = b.schema_oid FROM becomes b
           WHERE x.tenant = b.id AND x.kind = 'seed' AND x.schema_oid <> b.schema_oid AND b.gone_at IS NULL
             AND EXISTS (
               SELECT FROM pg_class c WHERE c.relnamespace = b.schema_oid AND c.relname = ${literal(names.tenantHistory)})
           RETURNING x.tenant
         )
         SELECT c.organization, c.schema_name, b.former, false
         FROM changed c JOIN before b ON b.id = c.tenant
         WHERE b.clerk_org_id <> c.organization OR b.schema_name <> c.schema_name;
       INSERT INTO tenantctl.tenants (clerk_org_id, schema_name, schema_oid)
       SELECT c.organization, c.schema_name, c.schema_oid FROM tenantctl.registry_changes() c
       WHERE c.tenant IS NULL AND NOT EXISTS (
         SELECT FROM tenantctl.tenants k WHERE k.schema_name = c.schema_name AND k.gone_at IS NULL)
       ORDER BY c.organization;
       DELETE FROM tenantctl.stamps s WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = s.history_oid);
       RETURN QUERY
         SELECT c.organization, c.schema_name, ${FORMER}, true
         FROM tenantctl.registry_changes() c JOIN tenantctl.tenants k ON k.id = c.tenant WHERE c.is_ambiguous;
     END`,
    'Brings the tenants that tenantctl knows in line with the registry, and forgets the stamps of tables that are gone. The tenants that it has found under another name, and those that a person must decide about.',
  );
}
