import {
  readVectorExtension,
  VECTOR_MOVE_REMEDY,
  VECTOR_REMEDY,
  type VectorExtension,
  type VectorExtensionMode,
} from '../run/vector-extension.ts';
import { failed, ok, skipped, warning, type Check } from './check.ts';
import type { Database } from '../../db/database.ts';

export interface VectorFacts extends VectorExtension {
  /** The role may create it: as a superuser, or because the extension is trusted (PostgreSQL ≥ 13). */
  readonly mayCreate: boolean;
  /** "15", as in the names of packages. */
  readonly serverMajor: string;
}

/** Reads whether CREATE EXTENSION would work (https://www.postgresql.org/docs/current/sql-createextension.html). */
export async function readVectorFacts(database: Database): Promise<VectorFacts> {
  const extension = await readVectorExtension(database);
  // to_jsonb tolerates PostgreSQL 12, where no extension is trusted.
  const { rows } = await database.query<{ may: boolean | null }>(
    `SELECT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
            OR has_database_privilege(current_database(), 'CREATE')
               AND (SELECT bool_or((to_jsonb(v) ->> 'trusted')::bool)
                    FROM pg_available_extension_versions v WHERE name = 'vector') AS may`,
  );
  return {
    ...extension,
    mayCreate: rows[0]?.may === true,
    serverMajor: String(database.serverMajor),
  };
}

/**
 * The check of pgvector. Pure.
 * @param neededBy a migration with a column of its types, if any
 */
export function vectorCheck(
  facts: VectorFacts,
  mode: VectorExtensionMode,
  neededBy: string | undefined,
): Check {
  const id = 'vector-extension';
  if (mode === 'off') return skipped(id, 'VECTOR_EXTENSION=off');
  const isNeeded = mode === 'require' || neededBy !== undefined;
  const why =
    mode === 'require' ? ', and VECTOR_EXTENSION=require' : neededBy ? `, and ${neededBy} needs it` : '';
  const complain = (isGrave: boolean, detail: string, remedy: string) =>
    isGrave ? failed(id, `${detail}${why}`, remedy, 'EXTENSION_UNAVAILABLE') : warning(id, detail, remedy);

  if (facts.schema === 'public') return ok(id, 'installed in public');
  if (facts.schema !== undefined) {
    return complain(
      isNeeded,
      `installed in the schema ${facts.schema}, where tenants do not look`,
      `${VECTOR_MOVE_REMEDY} -- as its owner or a superuser`,
    );
  }
  if (facts.available) {
    return facts.mayCreate
      ? warning(id, 'not installed yet; the next run would do it', VECTOR_REMEDY)
      : complain(
          isNeeded,
          'not installed, and this role may not install it',
          `${VECTOR_REMEDY} -- as a superuser`,
        );
  }
  if (!isNeeded) return ok(id, 'the server does not have it, and no tenant migration needs it');
  return complain(
    true,
    'the server does not have pgvector',
    `Install it on the machine of the server: apt-get install postgresql-${facts.serverMajor}-pgvector (or https://github.com/pgvector/pgvector#installation). Then: ${VECTOR_REMEDY}`,
  );
}
