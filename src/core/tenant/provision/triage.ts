import type { Database } from '../../../db/database.ts';
import { toTenantctlError } from '../../../errors.ts';
import type { Provisioning } from './make-tenant.ts';
import type { MigrationTask } from '../../fleet/plan-fleet.ts';
import { EMPTY_HISTORY } from '../../target/history.ts';
import { planNew } from '../../plan/repeatable.ts';
import type { MigrationFolder } from '../../files/source.ts';
import { refusedRegistration, registerTenants, type Registration } from '../../registry/register-tenants.ts';
import { withUnfinished } from '../../registry/registry.ts';
import { newSchemaName } from '../../registry/schema-name.ts';
import type { prepareRoles, PreparedRole } from '../../roles/prepare-roles.ts';
import { TRANSITIONS, UNFINISHED } from '../../registry/transitions.ts';
import { tenantNotActive } from '../../registry/not-active.ts';
import { type ProvisionResult, resultOf } from './provision-result.ts';

/** Separates organizations to provision from those that are refused or already ACTIVE. */
export function triage(
  folder: MigrationFolder,
  registrations: readonly Registration[],
  prepared: Awaited<ReturnType<typeof prepareRoles>>,
) {
  const results = new Map<string, ProvisionResult>();
  const tasks: MigrationTask[] = [];
  const roles = new Map<string, PreparedRole>();
  const plan = planNew(folder);
  for (const registration of registrations) {
    const { clerkOrgId, schema, status } = registration;
    const role = prepared.get(schema);
    const refused = role !== undefined && 'error' in role ? role.error : undefined;
    const error = registration.error ?? (isOpen(status) ? refused : tenantNotActive(registration, status));
    if (error !== undefined) results.set(clerkOrgId, resultOf(registration, 'failed', { error }));
    else if (status === 'ACTIVE') results.set(clerkOrgId, resultOf(registration, 'already-active'));
    else {
      if (role !== undefined && 'statements' in role) roles.set(schema, role);
      // Leftovers of an earlier attempt are found under the tenant's lock.
      const tenant = { ...NOTHING_MADE, clerkOrgId, schema, owner: role?.name ?? null };
      tasks.push({ tenant, history: EMPTY_HISTORY, plan, isNew: registration.isNew });
    }
  }
  return { results, tasks, roles };
}

/** Everything about a new tenant except its names and owner. */
const NOTHING_MADE = {
  status: TRANSITIONS.provision.during,
  createdAt: null,
  updatedAt: null,
  hasSchema: false,
  hasHistory: false,
  hasLock: false,
};

/** Registers organizations; one whose id is refused is a registration with an error. @param also see registerTenants */
export async function register(
  { context: { database }, registry }: Pick<Provisioning, 'context' | 'registry'>,
  ids: readonly string[],
  also?: (one: Database) => Promise<void>,
): Promise<Registration[]> {
  const refused: Registration[] = [];
  const wanted: { clerkOrgId: string; schema: string }[] = [];
  for (const clerkOrgId of ids) {
    try {
      wanted.push({ clerkOrgId, schema: newSchemaName(database.names, clerkOrgId) });
    } catch (error) {
      refused.push(refusedRegistration(clerkOrgId, toTenantctlError(error)));
    }
  }
  const registered = wanted.length === 0 ? [] : await registerTenants(database, registry, wanted, also);
  // Asked only where there is something to explain: this is on the way of every sign-up.
  const isUsual = registered.every(({ status, error }) => error !== undefined || isOpen(status));
  return [...refused, ...(isUsual ? registered : await withUnfinished(database, registered))];
}

/** Whether a tenant with this status is provisioned, or can be. */
function isOpen(status: string): boolean {
  return status === TRANSITIONS.provision.to || UNFINISHED.some((word) => word === status);
}
