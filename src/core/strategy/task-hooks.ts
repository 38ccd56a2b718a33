import { hooksFor, type Hooks } from '../apply/hooks.ts';
import type { MigrationTask } from '../fleet/plan-fleet.ts';
import type { RunContext } from '../run/run-context.ts';
import type { Target } from '../target/target.ts';
import type { MigrationWork } from './migration-work.ts';

/** Whether hooks are called around the migrations of each tenant. */
export function callsHooks(
  { hooks: loaded }: Pick<RunContext, 'hooks'>,
  { hooks: deed }: Pick<MigrationWork, 'hooks'>,
): boolean {
  const { hooks = {} } = loaded ?? {};
  return deed !== undefined && (hooks[`before${deed}`] ?? hooks[`after${deed}`]) !== undefined;
}

/** The hooks that a task has to call. @param isBegun its first transaction is committed */
export function hooksOfTask(
  context: RunContext,
  target: Target,
  { hooks: deed }: Pick<MigrationWork, 'hooks'>,
  { plan, part }: MigrationTask,
  isBegun: boolean,
): Hooks {
  if (deed === undefined) return {};
  const planned = part?.planned ?? plan.steps.map(({ name }) => name);
  const { before, after } = hooksFor(context, target, deed, planned);
  return { before: isBegun ? undefined : before, after: part?.isLast === false ? undefined : after };
}
