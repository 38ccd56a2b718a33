import type { Database } from '../../db/database.ts';
import type { ErrorReport } from '../../errors.ts';
import { readFailuresOfRuns, type RunFailure } from '../ledger/failures-of-runs.ts';
import { readLongestWork, type LongestWork } from '../ledger/longest-work.ts';
import { readRuns, type Run } from '../ledger/read-runs.ts';
import { checkCall } from '../options/check-call.ts';
import { groupByCause } from '../report/causes.ts';
import type { TenantClass } from '../report/class-counts.ts';
import type { HistoryEntry } from '../target/history.ts';
import type { Attention } from './attention.ts';
import { readSchemaSizes } from './schema-sizes.ts';
import { fleetStatus, type FleetStatus, type StatusOptions } from './status.ts';
import type { TenantState } from './tenant-state.ts';
import { newestIn } from './versions.ts';

export interface ReportOptions extends Pick<StatusOptions, 'masterFolder' | 'tenantFolder'> {
  /** Maximum number of runs; 50 if absent. */
  readonly limit?: number | undefined;
  /** Measure the tenants' schemas; true if absent. */
  readonly sizes?: boolean | undefined;
}

export interface ReportedTenant {
  readonly clerkOrgId: string;
  readonly schema: string;
  readonly status: string;
  readonly class: TenantClass;
  readonly attention?: Attention | undefined;
  /** The newest applied migration by name; null if none is applied. */
  readonly version: string | null;
  readonly pending: number;
  /** Absent if none of the reported runs worked on it. */
  readonly longest?: LongestWork | undefined;
  /** Absent if it was not measured. */
  readonly bytes?: number | undefined;
}

/** Tenants that failed in a run for one reason. */
export interface RunCause {
  /** As groupByCause makes it: placeholders stand for what differs. */
  readonly message: string;
  readonly code: ErrorReport['code'];
  readonly migration?: string | undefined;
  readonly tenants: number;
  /** Some of these tenants: organization ids. */
  readonly examples: readonly string[];
}

export interface ReportedRun extends Run {
  /** The largest first. */
  readonly causes: readonly RunCause[];
}

export interface FleetReport {
  readonly database: { readonly name: string; readonly serverVersion: string };
  readonly readAt: Date;
  readonly status: FleetStatus;
  /** All tenants of the registry, by organization id. */
  readonly tenants: readonly ReportedTenant[];
  /** Newest first. */
  readonly runs: readonly ReportedRun[];
  /** Why `bytes` is absent, unless it was not wanted. */
  readonly sizesNote?: string | undefined;
}

const DEFAULT_RUNS = 50;
const CAUSES_OF_RUN = 10;
const EXAMPLES = 5;

/**
 * Everything that a page about the fleet shows: status, runs with the causes of their failures, and for each tenant
 * its version, its longest work and its size. Only reads. The number of queries does not depend on the fleet.
 * @throws TenantctlError REGISTRY_ABSENT, REGISTRY_INVALID, MIGRATIONS_FOLDER_MISSING
 */
export async function fleetReport(database: Database, given: ReportOptions): Promise<FleetReport> {
  const {
    masterFolder,
    tenantFolder,
    limit = DEFAULT_RUNS,
    sizes = true,
  } = checkCall(database, given, 'tenantFolder');
  const status = await fleetStatus(database, { masterFolder, tenantFolder, listAll: true });
  const runs = await readRuns(database, { limit });
  const numbers = runs.map(({ id }) => id);
  const failures = Map.groupBy(await readFailuresOfRuns(database, numbers), ({ run }) => run);
  const longest = await readLongestWork(database, numbers);
  const schemas = status.states.flatMap(({ tenant }) => (tenant.hasSchema ? [tenant.schema] : []));
  const measured = sizes ? await readSchemaSizes(database, schemas) : undefined;
  const facts = {
    longest,
    bytes: measured?.bytes ?? new Map<string, number>(),
    versionOf: rememberedVersions(),
  };
  return {
    ...(await readServer(database)),
    status,
    tenants: status.states.map((state) => reported(state, facts)),
    runs: runs.map((run) => ({ ...run, causes: causesOf(failures.get(run.id) ?? []) })),
    sizesNote: measured?.note,
  };
}

async function readServer(database: Database): Promise<Pick<FleetReport, 'database' | 'readAt'>> {
  const { rows } = await database.query<FleetReport['database'] & { readonly readAt: Date }>(
    `SELECT current_database() AS name, current_setting('server_version') AS "serverVersion", now() AS "readAt"`,
  );
  const [{ readAt, ...server } = { name: '', serverVersion: '', readAt: new Date() }] = rows;
  return { database: server, readAt };
}

/** Tenants with the same stamp share their list of entries. */
function rememberedVersions(): (entries: readonly HistoryEntry[]) => string | null {
  const known = new Map<readonly HistoryEntry[], string | null>();
  return (entries) => {
    const version = known.get(entries) ?? newestIn(entries);
    known.set(entries, version);
    return version;
  };
}

interface TenantFacts {
  readonly longest: ReadonlyMap<string, LongestWork>;
  readonly bytes: ReadonlyMap<string, number>;
  readonly versionOf: (entries: readonly HistoryEntry[]) => string | null;
}

function reported(state: TenantState, { longest, bytes, versionOf }: TenantFacts): ReportedTenant {
  const { clerkOrgId, schema, status } = state.tenant;
  return {
    clerkOrgId,
    schema,
    status,
    class: state.class,
    attention: state.attention,
    version: versionOf(state.history.entries),
    pending: state.pending.length,
    longest: longest.get(schema),
    bytes: bytes.get(schema),
  };
}

function causesOf(failures: readonly RunFailure[]): RunCause[] {
  return groupByCause(failures, (failure) => failure)
    .slice(0, CAUSES_OF_RUN)
    .map(({ message, tenants }) => ({
      message,
      code: tenants[0]?.error.code ?? 'INTERNAL',
      migration: tenants[0]?.error.migration,
      tenants: tenants.length,
      examples: tenants.slice(0, EXAMPLES).map(({ clerkOrgId, schema }) => clerkOrgId ?? schema),
    }));
}
