import { Client } from 'pg';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';

/** A transaction locks all that it creates until it ends. */
const TENANTS_PER_TRANSACTION = 25;

/**
 * Registers ACTIVE tenants as Knex would leave them: its two history tables with one applied migration, and
 * that migration's table with one row.
 * @returns their organization ids
 */
export async function buildBigFleet(
  url: string,
  count: number,
  migration: { readonly name: string; readonly table: string },
): Promise<string[]> {
  const organizations = Array.from({ length: count }, (_, nth) => `org_${String(nth).padStart(6, '0')}`);
  const waiting = Array.from({ length: Math.ceil(count / TENANTS_PER_TRANSACTION) }, (_, nth) =>
    organizations.slice(nth * TENANTS_PER_TRANSACTION, (nth + 1) * TENANTS_PER_TRANSACTION),
  ).values();
  const build = async () => {
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      for (const some of waiting) await client.query(tenantsLikeKnexs(some, migration));
    } finally {
      await client.end();
    }
  };
  await Promise.all([build(), build()]);
  return organizations;
}

function tenantsLikeKnexs(
  organizations: readonly string[],
  { name, table }: { readonly name: string; readonly table: string },
): string {
  const pairs = organizations.map((id) => `('${id}', '${schemaNameFor(id)}')`);
  return `
    DO $$ DECLARE one record; BEGIN
      FOR one IN SELECT * FROM (VALUES ${pairs.join(', ')}) fleet (id, schema) LOOP
        EXECUTE format('
          CREATE SCHEMA %1$I;
          CREATE TABLE %1$I.knex_migrations_tenant
            (id serial PRIMARY KEY, name varchar(255), batch integer, migration_time timestamptz);
          CREATE TABLE %1$I.knex_migrations_tenant_lock (index serial PRIMARY KEY, is_locked integer);
          INSERT INTO %1$I.knex_migrations_tenant_lock (is_locked) VALUES (0);
          CREATE TABLE %1$I.${table} (id int PRIMARY KEY);
          INSERT INTO %1$I.${table} VALUES (1);
          INSERT INTO %1$I.knex_migrations_tenant (name, batch, migration_time) VALUES (''${name}'', 1, now())', one.schema);
        INSERT INTO public.tenants (clerk_org_id, schema_name, status) VALUES (one.id, one.schema, 'ACTIVE');
      END LOOP;
    END $$`;
}
