export { renderDiagnosis } from './doctor.ts';
export { renderFleet, renderMaster } from './fleet.ts';
export { renderProvision } from './provision.ts';
export { renderRehearsal } from './rehearsal.ts';
export { renderResolution } from './resolution.ts';
export { renderRunEnd } from './run-end.ts';
export { renderRun, renderRuns } from './runs.ts';
export { renderStatus } from './status.ts';
export { renderRegistry, renderTenant } from './tenant.ts';
