/** The text of a new migration. @param type the `type` of the nearest package.json */
export function skeletonFor(extension: string, type: 'module' | 'commonjs'): string {
  if (extension === '.sql') return SQL;
  if (/^\.[mc]?ts$/.test(extension)) return TYPESCRIPT;
  return extension === '.mjs' || (extension === '.js' && type === 'module') ? ES_MODULE : COMMON_JS;
}

const TYPESCRIPT = `import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
}

export async function down(knex: Knex): Promise<void> {
}
`;

const ES_MODULE = `/** @param {import('knex').Knex} knex */
export async function up(knex) {
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
}
`;

const COMMON_JS = `/** @param {import('knex').Knex} knex */
exports.up = async function up(knex) {
};

/** @param {import('knex').Knex} knex */
exports.down = async function down(knex) {
};
`;

const SQL = `-- migrate:up


-- migrate:down

`;

const PARAMETERS = String.raw`\(_?knex(?::Knex)?\)(?::Promise<void>)?`;

/** A function with an empty body, in the forms that tenantctl and Knex write, without white space. */
const emptyFunction = (name: string) =>
  [
    `(?:export(?:async)?function${name}${PARAMETERS}`,
    `(?:exportconst|exports\\.)${name}=(?:async)?(?:function(?:${name})?${PARAMETERS}|(?:${PARAMETERS}|knex)=>))\\{\\}`,
  ].join('|');

const EMPTY_MODULE = new RegExp(
  `^(?:'usestrict')?(?:import(?:type)?\\{(?:type)?Knex\\}from'knex')?${emptyFunction('up')}${emptyFunction('down')}$`,
);

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
  // Comment signs within a string only leave a text that matches neither form.
  const code = text.replaceAll(/\/\*[^]*?\*\//g, '').replace(/^\uFEFF/, '');
  return format === 'sql'
    ? EMPTY_SQL.test(code.replaceAll(/^\s*--(?!\s*migrate:).*$/gim, '').replaceAll(/\s/g, ''))
    : EMPTY_MODULE.test(
        code
          .replaceAll(/\/\/.*$/gm, '')
          .replaceAll(/[\s;]/g, '')
          .replaceAll('"', "'"),
      );
}
