import type { MigrationModule } from './import-migration.ts';
import { invalid } from './invalid-migration.ts';
import type { MigrationFile } from './source.ts';

type Loaded = MigrationModule & { readonly default?: unknown };

/** CommonJS arrives as the default export, sometimes one level deeper. @param name of the function that is looked for */
export function exportsOf(loaded: Loaded, name: 'up' | 'seed'): MigrationModule {
  let candidate: Loaded | undefined = loaded;
  for (let depth = 0; depth < 3 && typeof candidate === 'object' && candidate !== null; depth += 1) {
    if (typeof candidate[name] === 'function') return candidate;
    candidate = candidate.default as typeof candidate;
  }
  return loaded;
}

/** @throws TenantctlError MIGRATION_INVALID, SEED_INVALID */
export function allowOutsideOf({ config }: MigrationModule, file: MigrationFile): readonly string[] {
  const allowed = config?.allowOutside ?? [];
  const isList =
    Array.isArray(allowed) && allowed.every((name) => typeof name === 'string' && name.trim() !== '');
  if (isList) return allowed as string[];
  throw invalid(
    file,
    'exports a config whose allowOutside is no list of names.',
    "Name what it reaches outside its tenant's schema: export const config = { allowOutside: ['public.countries'] }.",
  );
}
