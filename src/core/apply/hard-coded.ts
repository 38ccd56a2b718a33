import { TenantctlError } from '../../errors.ts';
import { listed } from '../../wording.ts';
import type { Migration } from '../files/load.ts';
import { fromFirstWord, parseSql } from '../files/parse-sql.ts';
import { isAllowed } from '../guard/allowed.ts';
import type { ReadStatements } from '../statements/read-statements.ts';
import type { Target } from '../target/target.ts';

/** An object is not there, or is there already. */
const IS_ABOUT_NAMES = /^(?:3F000|42P01|42704|42883|42P07|42710)$/;

/** A name with a schema in a message of the server. Other characters are no name that somebody has hard-coded. */
const QUALIFIED =
  /"([\p{L}\p{N}_$-]+)\.([\p{L}\p{N}_$-]+)" does not exist|^(?:function|procedure) ([\p{L}\p{N}_$]+)\.([\p{L}\p{N}_$]+)\(.* does not exist/u;
/** A schema, or a name without one. */
const UNQUALIFIED = /^(schema|relation|type) "([\p{L}\p{N}_$-]+)" does not exist/u;

interface Call {
  readonly readStatements: ReadStatements;
  readonly migration: Migration;
  readonly target: Target;
  /** What the transaction was sent. */
  readonly texts: readonly string[];
}

/**
 * Explains an error that comes from a hard-coded schema or search_path: migrations that were written for
 * public name it, and dumps empty the search_path. Names what the migration does outside its schema, too.
 */
export async function explainHardCoded(error: unknown, call: Call): Promise<unknown> {
  const isKnown = error instanceof TenantctlError && IS_ABOUT_NAMES.test(error.sqlstate ?? '');
  if (!isKnown || call.target.scope === 'master') return error;
  const outside = await namesOutside(call);
  const hint =
    hintFor(error.message, call.texts, outside) ??
    ((await setsSearchPath(call.texts)) ? SETS_SEARCH_PATH : error.hint);
  const trespass = `Outside ${call.target.schema}, and so refused as well: ${listed(outside, 10)}.`;
  const { code, message, cause } = error;
  const details = [...(error.details ?? []), ...(outside.length === 0 ? [] : [trespass])];
  return new TenantctlError(code, message, { ...error.toJSON(), hint, details, cause });
}

const SETS_SEARCH_PATH =
  "The migration sets search_path itself, so that names without a schema no longer lead to the tenant's schema. Remove that statement (a dump begins with it): tenantctl sets search_path to the tenant's schema, then public.";

function hintFor(message: string, texts: readonly string[], outside: readonly string[]): string | undefined {
  const [, schema, name, ofFunction, routine] = QUALIFIED.exec(message) ?? [];
  const [place, object] = [schema ?? ofFunction, name ?? routine];
  // The server may name a schema that the migration does not.
  const isNamed = place !== undefined && texts.some((text) => text.includes(place));
  if (isNamed && object !== undefined)
    return `The migration hard-codes the schema of ${place}.${object}. ${belongs(object)}`;
  const [, kind, missing = ''] = UNQUALIFIED.exec(message) ?? [];
  if (kind === 'schema')
    return `The migration hard-codes the schema ${missing}. ${belongs('the name alone')}`;
  const elsewhere = outside.find((identity) => identity.endsWith(`.${missing}`));
  return kind && elsewhere && `The migration hard-codes the schema of ${elsewhere}. ${belongs(missing)}`;
}

function belongs(name: string): string {
  return `What belongs to a tenant is in the tenant's schema, which is first in the search_path: write ${name} (in Knex without withSchema). What tenants share is made by a master migration.`;
}

/** What the texts create, change or drop in another schema that they name, and are not allowed to. */
async function namesOutside({ readStatements, migration, target, texts }: Call): Promise<string[]> {
  const readings = await Promise.all(texts.map(readStatements));
  const names = readings
    .flatMap(({ objects }) => objects)
    .filter(({ schema }) => schema !== undefined && schema !== target.schema && !schema.startsWith('pg_'))
    .map(({ schema, name }) => `${schema}.${name}`)
    .filter((identity) => !isAllowed({ identity, isOtherTenants: false }, migration));
  return [...new Set(names)];
}

async function setsSearchPath(texts: readonly string[]): Promise<boolean> {
  const statements = await Promise.all(texts.map((text) => parseSql(text).catch(() => [])));
  return statements
    .flat()
    .some(({ text }) =>
      /^(?:set\s+(?:local\s+|session\s+)?search_path\b|select\b[^]*\bset_config\s*\(\s*'search_path')/i.test(
        fromFirstWord(text),
      ),
    );
}
