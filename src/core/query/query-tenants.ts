import type { TenantNames } from '../../names.ts';
import { startStopwatch } from '../../stopwatch.ts';
import pLimit from 'p-limit';
import { readPages, type Page } from '../../db/read-pages.ts';
import { toTenantctlError, type TenantctlError } from '../../errors.ts';
import { schemaMissing } from '../fleet/plan-fleet.ts';
import type { Selection } from '../fleet/select-fleet.ts';
import { checkCall } from '../options/check-call.ts';
import { readActiveOrNamed, type RegisteredTenant } from '../registry/registry.ts';
import { assertRegistry } from '../registry/registry-shape.ts';
import { silent, type Observer } from '../report/event.ts';
import { createLanes, type Concurrency } from '../run/lanes.ts';
import { createRunContext, type RunContext, type RunOptions } from '../run/run-context.ts';
import { serve } from '../serve/serve.ts';
import type { Attempt } from '../serve/work.ts';
import { tenantTarget } from '../target/target.ts';
import { parseQuery } from './statement.ts';
import type { Database } from '../../db/database.ts';
import { assertFinished } from '../state/unfinished-verb.ts';

export interface TenantRows extends Page {
  readonly tenant: TenantNames;
}

export interface QueryTenantsOptions
  extends Selection, Pick<RunOptions, 'lockTimeoutMs' | 'statementTimeoutMs' | 'retries' | 'signal'> {
  /** One read-only statement: SELECT, WITH, VALUES, TABLE, SHOW or EXPLAIN. */
  readonly sql: string;
  /** Tenants in parallel; 4 if absent. */
  readonly concurrency?: Concurrency | undefined;
  /**
   * Called once per page and at least once for each tenant that answers; never for two tenants alternately.
   * The tenant's next page is fetched when it returns. If it throws, the tenant has failed.
   */
  readonly onRows: (rows: TenantRows) => void | Promise<void>;
  readonly observe?: Observer | undefined;
}

export interface TenantAnswer {
  readonly clerkOrgId: string;
  readonly schema: string;
  readonly outcome: 'answered' | 'failed' | 'skipped';
  /** Rows passed to `onRows`, even if the tenant failed later. */
  readonly rows: number;
  readonly durationMs: number;
  readonly error?: TenantctlError | undefined;
}

export interface QueryTenantsResult {
  readonly totals: {
    readonly selected: number;
    readonly answered: number;
    readonly failed: number;
    readonly skipped: number;
    readonly rows: number;
  };
  /** The run was stopped before all tenants had answered. */
  readonly interrupted: boolean;
  readonly durationMs: number;
  readonly tenants: readonly TenantAnswer[];
}

/**
 * Runs a query in all ACTIVE tenants, or the selected ones whatever their status, each in a READ ONLY
 * transaction with its own search path. Takes no tenant locks and records nothing. A tenant's failure is in
 * its result.
 * @throws TenantctlError USAGE if `sql` is not a single query; REGISTRY_ABSENT, REGISTRY_INVALID,
 *   TENANT_UNKNOWN, CONCURRENCY_TOO_HIGH, POOL_EXHAUSTED, DATABASE_CLOSED
 */
export async function queryTenants(
  database: Database,
  given: QueryTenantsOptions,
): Promise<QueryTenantsResult> {
  const options = checkCall(database, given, 'sql', 'onRows');
  const query = await parseQuery(options.sql);
  return database.inTurn(() => askTenants(database, options, query));
}

/** @param query as parseQuery returns it */
export async function askTenants(
  database: Database,
  options: QueryTenantsOptions,
  query: string,
): Promise<QueryTenantsResult> {
  const elapsedMs = startStopwatch();
  await assertRegistry(database);
  const tenants = await readActiveOrNamed(database, options.tenants);
  const context = createRunContext(database, options);
  const handOver = createHandOver(options.onRows);
  const observe = options.observe ?? silent;
  const { outcomes } = await serve<{ readonly tenant: RegisteredTenant }, number>(
    context,
    tenants.map((tenant) => ({ tenant })),
    {
      lanes: await createLanes(database, options.concurrency, observe),
      observe,
      attempt: ({ tenant }) => askTenant(context, tenant, query, handOver(tenant)),
    },
  );
  database.assertOpen();
  const answers = outcomes.map(({ task: { tenant }, durationMs, ...outcome }): TenantAnswer => {
    const { clerkOrgId, schema } = tenant;
    const about = { clerkOrgId, schema, durationMs };
    if (outcome.kind === 'done') return { ...about, outcome: 'answered', rows: outcome.done };
    if (outcome.kind === 'failed')
      return { ...about, outcome: 'failed', rows: outcome.done ?? 0, error: outcome.error };
    return { ...about, outcome: 'skipped', rows: 0 };
  });
  const count = (outcome: TenantAnswer['outcome']) =>
    answers.filter((answer) => answer.outcome === outcome).length;
  return {
    totals: {
      selected: answers.length,
      answered: count('answered'),
      failed: count('failed'),
      skipped: count('skipped'),
      rows: answers.reduce((sum, { rows }) => sum + rows, 0),
    },
    interrupted: options.signal?.aborted === true && count('answered') < answers.length,
    durationMs: elapsedMs(),
    tenants: answers,
  };
}

type HandOver = ReturnType<ReturnType<typeof createHandOver>>;

/** Gives each tenant exclusive use of `onRows` from its first page to its last. */
function createHandOver(onRows: QueryTenantsOptions['onRows']) {
  const turns = pLimit(1);
  return ({ clerkOrgId, schema }: RegisteredTenant) => {
    const ended = Promise.withResolvers<void>();
    let isOver = false;
    const turn = () =>
      new Promise<void>((resolve) => {
        void turns(() => {
          resolve();
          return ended.promise;
        });
      });
    const handOver = {
      /** The first page has been passed on, or is being passed. */
      isBegun: false,
      rows: 0,
      async page(page: Page): Promise<void> {
        if (!handOver.isBegun) await turn();
        // The connection was lost, and the tenant is queried again.
        if (isOver) return;
        handOver.isBegun = true;
        await onRows({ tenant: { clerkOrgId, schema }, ...page });
        handOver.rows += page.rows.length;
      },
      end(): void {
        isOver = true;
        ended.resolve();
      },
    };
    return handOver;
  };
}

/** Queries one tenant; does not retry once rows have been passed on. */
async function askTenant(
  { database, lockTimeoutMs, statementTimeoutMs }: RunContext,
  tenant: RegisteredTenant,
  query: string,
  handOver: HandOver,
): Promise<Attempt<number>> {
  const { searchPath } = tenantTarget(database.names, tenant);
  try {
    assertFinished(tenant.unfinished);
    if (!tenant.hasSchema) throw schemaMissing(tenant);
    const settings = { searchPath, lockTimeoutMs, statementTimeoutMs };
    await handOver.page(await readPages(database, settings, query, (page) => handOver.page(page)));
    return { kind: 'done', done: handOver.rows };
  } catch (thrown) {
    const error = toTenantctlError(thrown).with({ tenant: tenant.clerkOrgId });
    const mayRepeat = !handOver.isBegun || database.isCancelled;
    return { kind: 'failed', error, mayRepeat, done: handOver.rows };
  } finally {
    handOver.end();
  }
}
