import type { TestFleet } from './fleet.ts';

/**
 * How a tenant was served: in one string; in parts, cut where a migration reads an answer or runs with Knex; or
 * interactively. The text that wrote its last history row has the whole transaction, its end, or neither.
 */
export type Way = 'in one string' | 'in parts' | 'interactively';

/** Records from now on how history rows are written or deleted. Returns the last way of each tenant. */
export async function watchWays(
  fleet: Pick<TestFleet, 'query'>,
): Promise<() => Promise<ReadonlyMap<string, Way>>> {
  await fleet.query(`
    CREATE SCHEMA watch;
    CREATE TABLE watch.writes (id bigserial, schema_name text, name text, text text);
    CREATE FUNCTION watch.take_down() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
      INSERT INTO watch.writes (schema_name, name, text)
      VALUES (TG_TABLE_SCHEMA, coalesce(NEW.name, OLD.name), current_query());
      RETURN NULL;
    END $$;
    DO $$ DECLARE t record; BEGIN
      FOR t IN SELECT schema_name FROM public.tenants LOOP
        CONTINUE WHEN to_regclass(t.schema_name || '.knex_migrations_tenant') IS NULL;
        EXECUTE format('CREATE TRIGGER watch AFTER INSERT OR DELETE ON %I.knex_migrations_tenant FOR EACH ROW EXECUTE FUNCTION watch.take_down()', t.schema_name);
        EXECUTE format('ALTER TABLE %I.knex_migrations_tenant ENABLE ALWAYS TRIGGER watch', t.schema_name);
      END LOOP;
    END $$`);
  return async () => {
    const rows = await fleet.query<{ clerk_org_id: string; text: string }>(
      `SELECT DISTINCT ON (t.clerk_org_id) t.clerk_org_id, w.text
       FROM watch.writes w JOIN public.tenants t USING (schema_name) ORDER BY t.clerk_org_id, w.id DESC`,
    );
    return new Map(rows.map(({ clerk_org_id, text }) => [clerk_org_id, wayOf(text)]));
  };
}

/** How often each tenant's migration was committed: must be 1 for all. */
export async function timesApplied(
  fleet: Pick<TestFleet, 'query'>,
  name: string,
): Promise<ReadonlyMap<string, number>> {
  const rows = await fleet.query<{ clerk_org_id: string; times: number }>(
    `SELECT t.clerk_org_id, count(w.id)::int AS times
     FROM public.tenants t LEFT JOIN watch.writes w ON w.schema_name = t.schema_name AND w.name = $1 GROUP BY 1`,
    [name],
  );
  return new Map(rows.map(({ clerk_org_id, times }) => [clerk_org_id, times]));
}

/** @param text the one that ended the transaction, or part of it */
export function wayOf(text: string): Way {
  if (text.includes('tenantctl.enter')) return 'in one string';
  return /tenantctl\.(?:leave|stamp_new)/.test(text) ? 'in parts' : 'interactively';
}
