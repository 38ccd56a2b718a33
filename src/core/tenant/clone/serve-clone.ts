import { messageOf, TenantctlError } from '../../../errors.ts';
import { counted } from '../../../wording.ts';
import { unregisterTenants } from '../../registry/register-tenants.ts';
import type { Observer } from '../../report/event.ts';
import { ONE_LANE } from '../../run/lanes.ts';
import { serve } from '../../serve/serve.ts';
import type { Attempt, Earlier, Task } from '../../serve/work.ts';
import { buildTenant, discardBuild, type Build } from '../build/build-tenant.ts';
import { copyTenant, type Copied, type TenantCopy } from './copy-tenant.ts';

/** Builds once; copies until that succeeds, fails for good, or the run is stopped. */
export async function serveClone(build: Build, copy: TenantCopy, observe: Observer): Promise<Copied> {
  const { context, clerkOrgId, schema } = build;
  let isBuilt = false;
  const attempt = async (_task: object, earlier: Earlier<Copied>): Promise<Attempt<Copied>> => {
    if (!isBuilt) {
      observe({
        type: 'phase',
        message: `Building ${clerkOrgId} by ${counted(build.migrations.length, 'migration')}`,
      });
      const built = await buildTenant(build);
      if (built.kind === 'failed')
        return { kind: 'failed', error: built.error, mayRepeat: built.mayRepeat, pid: built.pid };
      if (built.kind !== 'done') return { kind: 'busy' };
      isBuilt = true;
    }
    observe({ type: 'phase', message: `Copying ${copy.source.tenant.clerkOrgId} into ${clerkOrgId}` });
    return copyTenant(copy, earlier);
  };
  const tenant = { clerkOrgId, schema };
  const { outcomes } = await serve<Task, Copied>(context, [{ tenant }], {
    lanes: ONE_LANE,
    observe,
    attempt,
    ledger: { command: 'tenant clone', direction: 'up', areStanding: true },
  });
  const [outcome] = outcomes;
  if (outcome?.kind === 'done') return outcome.done;
  if (outcome?.kind === 'failed') throw outcome.error;
  throw new TenantctlError(
    'INTERRUPTED',
    'The run was stopped before the tenant was cloned. Nothing is left of the clone.',
  );
}

/**
 * Takes back what a clone that failed has made. If that fails, too, the clone is unfinished: the same command makes it
 * anew.
 * @param isOurRow the row in the registry goes, too
 */
export async function discardClone(build: Build, isOurRow: boolean, observe: Observer): Promise<void> {
  const { context, clerkOrgId, schema } = build;
  try {
    const discarded = await discardBuild(build, []);
    if (discarded.kind === 'failed') throw discarded.error;
    if (isOurRow) await unregisterTenants(context.database, [clerkOrgId]);
  } catch (error) {
    const message = `${schema} could not be taken back, and stays unfinished: ${messageOf(error)}`;
    observe({ type: 'warning', message });
  }
}
