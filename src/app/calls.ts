import { AsyncLocalStorage } from 'node:async_hooks';
import { checkOptions } from '../core/options/check-options.ts';
import { assertOrganizationId } from '../core/registry/schema-name.ts';
import { TenantctlError } from '../errors.ts';
import { DEFAULT_NAMES, type Names } from '../names.ts';
import { listed } from '../wording.ts';
import { changed, isSame, type TenantContext } from './admission.ts';
import type { CallOptions } from './call-sql.ts';
import type { ConnectionSource } from './connection-source.ts';
import { rememberSchemas } from './remembered.ts';
import { runCall } from './run-call.ts';
import type { TenantClient } from './tenant-client.ts';

export type { TenantContext } from './admission.ts';

export interface OpenTenantsOptions {
  /** Tables and columns that are not named as tenantctl names them. */
  readonly names?: Names | undefined;
  /** Every call's, unless it has its own. */
  readonly atLeast?: string | undefined;
  /**
   * More settings that every call puts back, such as `app.tenant`: those that a function of the database changes for
   * the session. What the texts of a call name is put back without this.
   */
  readonly settings?: readonly string[] | undefined;
  /**
   * Trusts what the registry said for so many milliseconds. A suspension then counts only after that time.
   * Absent: every call asks.
   */
  readonly cacheMs?: number | undefined;
}

export interface RunOptions extends CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** The calls of an application for its tenants. `Handle` is what their work gets: a client, or an ORM's transaction. */
export interface Calls<Handle> {
  run<Result>(
    org: string | TenantContext,
    work: (handle: Handle) => Promise<Result>,
    options?: RunOptions,
  ): Promise<Result>;
  current(): TenantContext | undefined;
  forget(org?: string): void;
}

/** A call that the code which asks is within. */
interface Call<Handle> {
  readonly tenant: TenantContext;
  readonly handle: Handle;
  readonly options: RunOptions;
  isOpen: boolean;
}

const NONE: RunOptions = {};

/**
 * @param source gives the connections
 * @param wrap makes what the work gets of the client of a call, as long as the work lasts. `committed` fulfils after
 *   the COMMIT, and rejects if there was none.
 */
export function openCalls<Handle>(
  source: ConnectionSource,
  given: OpenTenantsOptions,
  wrap: <Result>(
    client: TenantClient,
    work: (handle: Handle) => Promise<Result>,
    options: CallOptions,
    committed: Promise<void>,
  ) => Promise<Result>,
): Calls<Handle> {
  const { names = DEFAULT_NAMES, ...options } = given;
  const { cacheMs = 0, atLeast, settings: own = [] } = checkOptions(options);
  const settings = own.map((name) => name.toLowerCase());
  const calls = new AsyncLocalStorage<Call<Handle>>();
  const remembered = rememberSchemas(cacheMs);
  const openCall = () => {
    const call = calls.getStore();
    return call?.isOpen === true ? call : undefined;
  };
  return {
    async run(asked, work, given = NONE) {
      const expected = typeof asked === 'string' ? undefined : asked;
      // A request without an organization has neither.
      const org = typeof asked === 'string' ? asked : (asked?.clerkOrgId ?? '');
      assertOrganizationId(org);
      const own = given === NONE ? NONE : checkOptions(given);
      const around = openCall();
      if (around !== undefined) {
        assertSameCall(around, org, own, expected);
        return work(around.handle);
      }
      const options = { atLeast, ...own };
      const request = { names, org, expected, known: remembered.get(org), settings, options };
      const call = runCall(source, request, async (client, facts, committed) => {
        remembered.set(org, facts.schema);
        return wrap(
          client,
          async (handle) => {
            const call: Call<Handle> = {
              tenant: { clerkOrgId: org, schema: facts.schema, schemaId: facts.schemaId },
              handle,
              options,
              isOpen: true,
            };
            try {
              return await calls.run(call, () => work(handle));
            } finally {
              call.isOpen = false;
            }
          },
          options,
          committed,
        );
      });
      return call.catch((error: unknown) => {
        // What was remembered of it may be wrong.
        if (error instanceof TenantctlError) remembered.forget(org);
        throw error;
      });
    },
    current: () => openCall()?.tenant,
    forget: (org) => remembered.forget(org),
  };
}

/** Work within work is part of the same transaction, so it cannot want another one. */
function assertSameCall(
  { tenant, options }: Pick<Call<unknown>, 'tenant' | 'options'>,
  org: string,
  own: RunOptions,
  expected: TenantContext | undefined,
): void {
  if (tenant.clerkOrgId !== org)
    throw new TenantctlError(
      'OTHER_TENANT',
      `The work of the tenant "${tenant.clerkOrgId}" may not begin work of "${org}".`,
      {
        tenant: org,
        hint: 'End the one before you begin the other: a transaction belongs to one tenant.',
      },
    );
  if (expected !== undefined && !isSame(expected, tenant)) throw changed(expected, tenant);
  const differing = (
    ['readOnly', 'isolation', 'asOwner', 'statementTimeoutMs', 'atLeast', 'signal'] as const
  ).filter((name) => own[name] !== undefined && own[name] !== options[name]);
  if (differing.length > 0)
    throw new TenantctlError(
      'USAGE',
      `Work within the work of the tenant "${org}" joins its transaction, which has another ${listed(differing)}.`,
      {
        tenant: org,
        hint: 'Give these options to the outer run.',
      },
    );
}
