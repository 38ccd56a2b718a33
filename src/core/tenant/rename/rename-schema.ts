import type { PoolClient, QueryResultRow } from 'pg';
import { identifier, literal, readable } from '../../../db/sql.ts';

/** An object whose text holds the name of a schema that has another name now. */
export interface StaleObject {
  /** `function`, `trigger`, `default`, `constraint`, … */
  readonly kind: string;
  /** Without the schema, unless it is `public`. */
  readonly name: string;
}

export interface SchemaRename {
  /** Functions whose search_path has the new name. */
  readonly functions: readonly string[];
  /** What PostgreSQL does not rewrite. */
  readonly stale: readonly StaleObject[];
}

interface Move {
  readonly from: string;
  readonly to: string;
  /** The role to rename with it. */
  readonly role?: { readonly former: string; readonly name: string } | undefined;
}

/**
 * Renames a schema in an open transaction, with its role and the search_path of its functions. Nobody
 * waits for it, and it waits for nobody: see lockTables.
 */
export async function renameSchema(client: PoolClient, { from, to, role }: Move): Promise<SchemaRename> {
  await client.query(`ALTER SCHEMA ${identifier(from)} RENAME TO ${identifier(to)}`);
  if (role !== undefined)
    await client.query(`ALTER ROLE ${identifier(role.former)} RENAME TO ${identifier(role.name)}`);
  const functions = await renameInSearchPaths(client, { from, to });
  const { rows: stale } = await client.query<StaleObject & QueryResultRow>(selectStale(from, to));
  return { functions, stale };
}

/** @returns the functions that were changed */
async function renameInSearchPaths(
  client: PoolClient,
  { from, to }: Pick<Move, 'from' | 'to'>,
): Promise<string[]> {
  const { rows } = await client.query<{ name: string; path: string }>(
    `SELECT CASE p.prokind WHEN 'p' THEN 'PROCEDURE ' ELSE 'FUNCTION ' END || p.oid::regprocedure AS name,
            substr(c.setting, length('search_path=') + 1) AS path
     FROM pg_proc p CROSS JOIN LATERAL unnest(p.proconfig) c (setting)
     WHERE p.pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1) AND c.setting LIKE 'search_path=%'
     ORDER BY 1`,
    [to],
  );
  const changed: string[] = [];
  for (const { name, path } of rows) {
    const schemas = (path.match(/"(?:[^"]|"")*"|[^,\s]+/g) ?? []).map(plain);
    if (!schemas.includes(from)) continue;
    const renamed = schemas.map((schema) => identifier(schema === from ? to : schema));
    await client.query(`ALTER ${name} SET search_path TO ${renamed.join(', ')}`);
    changed.push(name.replace(/^\w+ /, ''));
  }
  return changed;
}

function plain(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}

/**
 * SELECT of the objects whose text still holds a schema's former name, after it was renamed: what PostgreSQL keeps as a
 * reference is printed with the new name. Looks in the schema, in the functions of `public` and in the settings of
 * roles.
 */
function selectStale(from: string, to: string): string {
  const word = [from, readable(from)].map((name) => name.replaceAll(/[^\p{L}\p{N}_]/gu, String.raw`\$&`));
  const pattern = String.raw`(^|[^[:alnum:]_$])(${[...new Set(word)].join('|')})($|[^[:alnum:]_$])`;
  const table = `format('%I', c.relname)`;
  return `WITH s AS (SELECT oid FROM pg_namespace WHERE nspname = ${literal(to)}),
    relations AS (SELECT c.oid, c.relname FROM pg_class c JOIN s ON c.relnamespace = s.oid),
    texts (kind, name, content) AS (
      SELECT CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END,
             format('%s%I(%s)', CASE WHEN p.pronamespace <> s.oid THEN 'public.' END, p.proname, pg_get_function_identity_arguments(p.oid)),
             concat_ws(' ', p.prosrc, array_to_string(p.proconfig, ' '), pg_get_expr(p.proargdefaults, 0))
      FROM pg_proc p JOIN s ON p.pronamespace IN (s.oid, 'public'::regnamespace) WHERE p.prokind <> 'a'
      UNION ALL
      SELECT 'trigger', format('%I on %s', t.tgname, ${table}), pg_get_triggerdef(t.oid)
      FROM pg_trigger t JOIN relations c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal
      UNION ALL
      SELECT 'default', format('%s.%I', ${table}, a.attname), pg_get_expr(d.adbin, d.adrelid)
      FROM pg_attrdef d JOIN relations c ON c.oid = d.adrelid
      JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
      UNION ALL
      SELECT 'constraint', o.conname::text, pg_get_constraintdef(o.oid) FROM pg_constraint o JOIN s ON o.connamespace = s.oid
      UNION ALL
      SELECT 'index', ${table}, pg_get_indexdef(c.oid) FROM relations c JOIN pg_index i ON i.indexrelid = c.oid
      UNION ALL
      SELECT CASE r.rulename WHEN '_RETURN' THEN 'view' ELSE 'rule' END,
             CASE r.rulename WHEN '_RETURN' THEN '' ELSE format('%I on ', r.rulename) END || ${table}, pg_get_ruledef(r.oid)
      FROM pg_rewrite r JOIN relations c ON c.oid = r.ev_class
      UNION ALL
      SELECT 'policy', format('%I on %s', p.polname, ${table}),
             concat_ws(' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
      FROM pg_policy p JOIN relations c ON c.oid = p.polrelid
      UNION ALL
      SELECT 'domain', format('%I', t.typname), t.typdefault FROM pg_type t JOIN s ON t.typnamespace = s.oid WHERE t.typtype = 'd'
      UNION ALL
      SELECT 'foreign table', ${table}, array_to_string(f.ftoptions, ' ') FROM pg_foreign_table f JOIN relations c ON c.oid = f.ftrelid
      UNION ALL
      SELECT 'setting of role', pg_get_userbyid(r.setrole)::text, array_to_string(r.setconfig, ' ')
      FROM pg_db_role_setting r WHERE r.setrole <> 0)
    SELECT kind, name FROM texts WHERE content ~ ${literal(pattern)} ORDER BY 1, 2`;
}
