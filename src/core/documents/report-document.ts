import type { FleetReport, ReportedRun, ReportedTenant } from '../fleet/fleet-report.ts';
import { runDocument } from './run-document.ts';
import { statusDocument } from './status-document.ts';

export type ReportDocument = ReturnType<typeof reportDocument>;
export type ReportTenantDocument = ReportDocument['tenants'][number];
export type ReportRunDocument = ReportDocument['runs'][number];

/** `report`. `status` has the keys of the command `status`, without `attention` and `all`. */
export function reportDocument({ database, readAt, status, tenants, runs, sizesNote }: FleetReport) {
  const { attention: _, ...counts } = statusDocument(status, false);
  return {
    database,
    readAt: readAt.toISOString(),
    status: counts,
    tenants: tenants.map(tenantDocument),
    runs: runs.map(reportedRunDocument),
    ...(sizesNote !== undefined && { sizes: { note: sizesNote } }),
  };
}

function tenantDocument({ attention, longest, bytes, ...tenant }: ReportedTenant) {
  return {
    ...tenant,
    code: attention?.code ?? null,
    problem: attention?.problem ?? null,
    ...(longest !== undefined && { longest }),
    ...(bytes !== undefined && { bytes }),
  };
}

/** `runs show` has what is left out here. */
function reportedRunDocument({ causes, ...run }: ReportedRun) {
  const { planned: _planned, options: _options, notices: _notices, ...shown } = runDocument(run);
  return { ...shown, causes };
}
