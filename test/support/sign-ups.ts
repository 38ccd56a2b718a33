import { provisionTenant, type ProvisionOptions } from '../../src/core/tenant/provision.ts';
import type { Database } from '../../src/db/database.ts';
import type { RunEvent } from '../../src/core/report/event.ts';
import type { TestFleet } from './fleet.ts';
import { wayOf, type Way } from './ways.ts';

export interface SignUp {
  readonly way: Way;
  readonly warnings: readonly string[];
}

export const INTERACTIVELY: SignUp = { way: 'interactively', warnings: [] };
export const AT_ONCE: SignUp = { way: 'in one string', warnings: [] };

/** Tenants of a fleet that are provisioned one by one, as in an application. */
export interface SignUps {
  /** Fails if the tenant does. */
  readonly signUp: (
    organization: string,
    options?: Partial<ProvisionOptions>,
    database?: Database,
  ) => Promise<SignUp>;
}

/** The SQL that watches sign-ups. The name of the function that stores texts is hidden from tenantctl. */
const WATCH = `
  CREATE SCHEMA sign_ups;
  CREATE TABLE sign_ups.activations (org text, text text);
  CREATE FUNCTION sign_ups.take_down() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
  DECLARE text text; BEGIN
    EXECUTE 'SELECT current_' || 'query()' INTO text;
    INSERT INTO sign_ups.activations VALUES (NEW.clerk_org_id, text);
    RETURN NULL;
  END $$;
  CREATE TRIGGER take_down AFTER UPDATE ON public.tenants FOR EACH ROW
    WHEN (NEW.status = 'ACTIVE') EXECUTE FUNCTION sign_ups.take_down();`;

/** Records from now on how tenants become ACTIVE. Returns the way of one. */
export async function watchActivations({
  query,
}: Pick<TestFleet, 'query'>): Promise<(org: string) => Promise<Way>> {
  await query(WATCH);
  return async (organization) => {
    const rows = await query<{ text: string }>('SELECT text FROM sign_ups.activations WHERE org = $1', [
      organization,
    ]);
    return wayOf(rows[0]?.text ?? '');
  };
}

export async function watchSignUps(fleet: TestFleet): Promise<SignUps> {
  const wayOf = await watchActivations(fleet);
  return {
    async signUp(organization, options = {}, database = fleet.database) {
      const warnings: string[] = [];
      const observe = (event: RunEvent) => {
        if (event.type === 'warning') warnings.push(event.message);
      };
      await provisionTenant(database, organization, { folder: fleet.project.tenants, observe, ...options });
      return { way: await wayOf(organization), warnings };
    },
  };
}
