import type { CodeVerdict } from '../code/verdict.ts';
import type { PlanGroup } from './plan-group.ts';
import { callsHooks } from './task-hooks.ts';

/**
 * Whether other code, which runs for each tenant, may change what a migration depends on besides answers: the process,
 * or an object of a module that both import.
 */
export async function isDisturbed(group: PlanGroup, { kind, files }: CodeVerdict): Promise<boolean> {
  const paths = new Set(files.map(({ path }) => path).filter((path) => !/\.\*$|#type$/.test(path)));
  const others = await Promise.all(codeThatRuns(group).map((file) => group.session.context.examine(file)));
  return others.some(
    (other) =>
      other.kind !== 'pure' &&
      other.kind !== 'fixed' &&
      (kind === 'fixed' || other.files.some(({ path }) => paths.has(path))),
  );
}

/** The migrations of all plans that are not sent as recorded earlier, and the hooks. */
function codeThatRuns({ session: { context, tasks }, migration }: PlanGroup) {
  const { direction } = migration;
  const plans = [...new Set(tasks.map(({ plan }) => plan))];
  const files = new Set(plans.flatMap(({ steps }) => steps.map(({ file }) => file)));
  const migrations = [...files].filter(
    (file) => file.format !== 'sql' && !context.kept.replays(file, direction),
  );
  const hooks = callsHooks(context, migration) ? context.hooks?.file : undefined;
  return hooks === undefined ? migrations : [...migrations, hooks];
}
