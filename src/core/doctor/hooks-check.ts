import { listed } from '../../wording.ts';
import { loadHooks, type LoadedHooks } from '../files/load-hooks.ts';
import { attempt, type Attempt } from './attempt.ts';
import { failed, ok, refused, type Check, type Verdict } from './check.ts';

export interface HooksFacts {
  readonly paths: readonly string[];
  readonly loaded: Attempt<LoadedHooks>;
}

/** Loads a hooks file, which executes its top level. Does not throw. @returns undefined if there is none */
export async function readHooksFacts(paths: readonly string[]): Promise<HooksFacts | undefined> {
  const [path] = paths;
  return path === undefined ? undefined : { paths, loaded: await attempt(() => loadHooks(path)) };
}

export function hooksChecks(facts: HooksFacts | undefined): Check[] {
  return facts === undefined ? [] : [{ id: 'hooks-file', title: 'Hooks', ...verdictOn(facts) }];
}

function verdictOn({ paths, loaded }: HooksFacts): Verdict {
  if (paths.length > 1)
    return failed(`there are several hooks files: ${listed(paths)}`, 'Keep one of them.', 'HOOKS_INVALID');
  if (loaded.error !== undefined) return refused(loaded.error);
  const { file, hooks } = loaded.facts;
  return ok(`${file.name}: ${Object.keys(hooks).join(', ')}`);
}
