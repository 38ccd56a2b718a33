// By default: an application's bundle often has a createRequire of its own at the top.
import module from 'node:module';
import { pathToFileURL } from 'node:url';
import { importModule } from '../../import-module.ts';

/** Knex's own template imports the type as if it were a value. TypeScript leaves that out, Node does not. */
const IMPORTS_KNEX = /^(\s*import)(?=\s*\{\s*Knex\s*\}\s*from\s*(['"])knex\2)/m;

const IMPORTS = /\bfrom\s*['"]|^\s*import\s*['"]/gm;

/** What is imported beside it may need jiti: it finds files without extension, and gives them CommonJS names. */
function importsOnlyKnex(text: string): boolean {
  return IMPORTS_KNEX.test(text) && text.match(IMPORTS)?.length === 1;
}

/**
 * Imports a TypeScript file by Node itself. One that imports nothing but the type Knex, as a value, need not go through
 * jiti, which takes 100 ms to load: Node is given its text with `import type`
 * (https://nodejs.org/api/module.html#moduleregisterhooksoptions).
 * @param text of the file
 */
export async function importTypeScript(path: string, text: string): Promise<unknown> {
  if (path.endsWith('.cts') || !importsOnlyKnex(text)) return importModule(path);
  const { href } = pathToFileURL(path);
  const source = text.replace(IMPORTS_KNEX, '$1 type');
  const hooks = module.registerHooks({
    load: (url, context, load) =>
      url === href ? { format: 'module-typescript', source, shortCircuit: true } : load(url, context),
  });
  try {
    return await importModule(path);
  } finally {
    hooks.deregister();
  }
}
