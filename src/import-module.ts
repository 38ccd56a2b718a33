import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import { constants, runInThisContext } from 'node:vm';

/**
 * Imports a file by its absolute path, or a package that may be missing. Bundlers leave it alone. Where import()
 * is missing, as in Jest without --experimental-vm-modules, Node itself does it, outside Jest's sandbox.
 */
export async function importModule(name: string): Promise<unknown> {
  const specifier = isAbsolute(name) ? pathToFileURL(name).href : name;
  try {
    return (await import(/* webpackIgnore: true */ /* @vite-ignore */ specifier)) as unknown;
  } catch (error) {
    const { code = '' } = Object(error) as { readonly code?: string };
    if (!code.startsWith('ERR_VM_DYNAMIC_IMPORT_CALLBACK_MISSING')) throw error;
    const importModuleDynamically = constants.USE_MAIN_CONTEXT_DEFAULT_LOADER;
    const load = runInThisContext('(name) => import(name)', {
      importModuleDynamically,
    }) as typeof importModule;
    return load(specifier);
  }
}
