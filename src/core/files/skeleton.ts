type Functions = readonly ('up' | 'down' | 'seed')[];

/** The text of a new migration. @param type the `type` of the nearest package.json */
export function skeletonFor(extension: string, type: 'module' | 'commonjs'): string {
  return extension === '.sql' ? SQL : moduleOf(['up', 'down'], extension, type);
}

/** The text of a new seed. @param type the `type` of the nearest package.json */
export function seedSkeletonFor(extension: string, type: 'module' | 'commonjs'): string {
  return extension === '.sql' ? SEED_SQL : moduleOf(['seed'], extension, type);
}

function moduleOf(names: Functions, extension: string, type: 'module' | 'commonjs'): string {
  if (/^\.[mc]?ts$/.test(extension))
    return `import type { Knex } from 'knex';\n\n${functions(names, typeScript)}`;
  const isModule = extension === '.mjs' || (extension === '.js' && type === 'module');
  return functions(names, isModule ? esModule : commonJs);
}

const functions = (names: Functions, write: (name: string) => string) => names.map(write).join('\n');

const typeScript = (name: string) => `export async function ${name}(knex: Knex): Promise<void> {\n}\n`;

const PARAM = "/** @param {import('knex').Knex} knex */\n";

const esModule = (name: string) => `${PARAM}export async function ${name}(knex) {\n}\n`;

const commonJs = (name: string) => `${PARAM}exports.${name} = async function ${name}(knex) {\n};\n`;

const SQL = `-- migrate:up


-- migrate:down

`;

const SEED_SQL = `-- Rows for every tenant. The file runs again when it changes: ON CONFLICT DO NOTHING, for example.

`;

const PARAMETERS = String.raw`\(_?knex(?::Knex)?\)(?::Promise<void>)?`;

/** A function with an empty body, in the forms that tenantctl and Knex write, without white space. */
const emptyFunction = (name: string) =>
  [
    `(?:export(?:async)?function${name}${PARAMETERS}`,
    `(?:exportconst|exports\\.)${name}=(?:async)?(?:function(?:${name})?${PARAMETERS}|(?:${PARAMETERS}|knex)=>))\\{\\}`,
  ].join('|');

const emptyModule = (...names: Functions) =>
  new RegExp(
    `^(?:'usestrict')?(?:import(?:type)?\\{(?:type)?Knex\\}from'knex')?${names.map(emptyFunction).join('')}$`,
  );

const EMPTY_MODULE = emptyModule('up', 'down');

const EMPTY_SEED = emptyModule('seed');

const EMPTY_SQL = /^--migrate:up--migrate:down$/i;

/** A comment at the end of a function's body. */
const SAYS_WHY = /(?:\/\/.*|\*\/)\s*\}/;

/** A comment in the up part. */
const SAYS_WHY_SQL = /^--\s*migrate:up\s*(?:--(?!\s*migrate:)|\/\*)/im;

/**
 * Whether a migration is still as `make`, or Knex's own `migrate:make`, wrote it: at most a formatter has changed it,
 * or comments around its functions were added. A comment within a function says that it is empty on purpose. Pure.
 */
export function isSkeleton(text: string, format: 'module' | 'sql'): boolean {
  if ((format === 'sql' ? SAYS_WHY_SQL : SAYS_WHY).test(text)) return false;
  return format === 'sql'
    ? EMPTY_SQL.test(
        withoutBlocks(text)
          .replaceAll(/^\s*--(?!\s*migrate:).*$/gim, '')
          .replaceAll(/\s/g, ''),
      )
    : EMPTY_MODULE.test(bare(text));
}

/** isSkeleton for seeds. An .sql seed is empty if it has only comments. Pure. */
export function isSeedSkeleton(text: string, format: 'module' | 'sql'): boolean {
  if (format === 'sql') return /^[\s;]*$/.test(withoutBlocks(text.replaceAll(/--.*$/gm, '')));
  return !SAYS_WHY.test(text) && EMPTY_SEED.test(bare(text));
}

/** Comment signs within a string only leave a text that matches no form. */
function withoutBlocks(text: string): string {
  return text.replaceAll(/\/\*[^]*?\*\//g, '').replace(/^\uFEFF/, '');
}

/** Code without comments and white space, with one kind of quotes. */
function bare(text: string): string {
  return withoutBlocks(text)
    .replaceAll(/\/\/.*$/gm, '')
    .replaceAll(/[\s;]/g, '')
    .replaceAll('"', "'");
}
