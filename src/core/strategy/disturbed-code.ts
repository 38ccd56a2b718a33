import { dirname, join } from 'node:path';
import type { CodeVerdict } from '../code/verdict.ts';
import type { MigrationFile } from '../files/source.ts';
import type { PlanGroup } from './plan-group.ts';
import { callsHooks } from './task-hooks.ts';

/**
 * Tells whether other code, which runs for each tenant, may change what a migration depends on besides answers: the
 * process, or an object of a module that both import.
 */
export function disturbances(
  group: PlanGroup,
): (file: MigrationFile, verdict: CodeVerdict) => Promise<boolean> {
  let varying: Promise<CodeThatVaries> | undefined;
  return async (file, verdict) => {
    const { isAny, modules } = await (varying ??= findVarying(group));
    if (verdict.kind === 'fixed') return isAny;
    return modulesOf(file, verdict).some((path) => modules.has(path));
  };
}

interface CodeThatVaries {
  readonly isAny: boolean;
  /** All that it imports or reads. */
  readonly modules: ReadonlySet<string>;
}

/** Among the migrations of all plans that are not sent as recorded earlier, and the hooks. */
async function findVarying({ session: { context, tasks }, migration }: PlanGroup): Promise<CodeThatVaries> {
  const plans = [...new Set(tasks.map(({ plan }) => plan))];
  const files = new Set(plans.flatMap(({ steps }) => steps.map(({ file }) => file)));
  const isRun = (file: MigrationFile) =>
    file.format !== 'sql' && !context.kept.replays(file, migration.direction);
  const code = [...files].filter(isRun);
  if (callsHooks(context, migration) && context.hooks !== undefined) code.push(context.hooks.file);
  const verdicts = await Promise.all(
    code.map(async (file) => ({ file, verdict: await context.examine(file) })),
  );
  const varying = verdicts.filter(({ verdict: { kind } }) => kind !== 'pure' && kind !== 'fixed');
  return {
    isAny: varying.length > 0,
    modules: new Set(varying.flatMap(({ file, verdict }) => modulesOf(file, verdict))),
  };
}

function modulesOf({ path: from }: MigrationFile, { files }: CodeVerdict): string[] {
  const paths = files.map(({ path }) => path).filter((path) => !/\.\*$|#type$/.test(path));
  return paths.map((path) => join(dirname(from), path));
}
