import { NEVER_UNDONE } from '../files/sql-file.ts';
import type { HookName, LoadedHooks, TenantHook } from '../files/load-hooks.ts';
import type { Migration } from '../files/load.ts';
import type { RunContext } from '../run/run-context.ts';
import type { Target } from '../target/target.ts';

/** The hooks around one deed, as migrations; each is absent if the file has none. */
export interface Hooks {
  readonly before?: Migration | undefined;
  readonly after?: Migration | undefined;
}

/**
 * What the hooks file has for a deed. A hook runs as a migration does: with its Knex and search_path, under the guard,
 * and with errors that name file and line.
 * @param migrations see HookCall
 */
export function hooksFor(
  { hooks: loaded, run }: Pick<RunContext, 'hooks' | 'run'>,
  target: Target,
  deed: 'Provision' | 'Migrate' | 'Suspend' | 'Resume',
  migrations: readonly string[] = [],
): Hooks {
  if (loaded === undefined) return {};
  const named = (name: HookName) => {
    const hook = loaded.hooks[name];
    return hook && asMigration(loaded, name, hook, { target, run, migrations });
  };
  return { before: named(`before${deed}`), after: named(`after${deed}`) };
}

interface Call extends Pick<RunContext, 'run'> {
  readonly target: Target;
  readonly migrations: readonly string[];
}

function asMigration(
  { file, text, checksum }: LoadedHooks,
  name: HookName,
  hook: TenantHook,
  { target: { clerkOrgId = '', schema }, migrations, run }: Call,
): Migration {
  return {
    file: { ...file, name: `${name} (${file.name})` },
    text,
    checksum,
    up: (knex) => hook({ tenant: { clerkOrgId, schema }, knex, migrations: [...migrations], run: run?.id }),
    ...NEVER_UNDONE,
  };
}
