import {
  readVectorExtension,
  VECTOR_MOVE_REMEDY,
  VECTOR_REMEDY,
  type VectorExtension,
  type VectorExtensionMode,
} from '../install/vector-extension.ts';
import { failed, ok, skipped, warning, type CheckTable, type Verdict } from './check.ts';
import type { Database } from '../../db/database.ts';

export interface VectorFacts extends VectorExtension {
  /** As a superuser, or because the extension is trusted (PostgreSQL 13 and later). */
  readonly mayCreate: boolean;
  readonly serverMajor: number;
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
  return { ...extension, mayCreate: rows[0]?.may === true, serverMajor: database.serverMajor };
}

export interface VectorView extends VectorFacts {
  readonly mode: VectorExtensionMode;
  /** A migration with a pgvector column, if any. */
  readonly neededBy: string | undefined;
}

export const VECTOR: CheckTable<VectorView> = { 'vector-extension': ['Extension vector', vector] };

function vector({ schema, available, mayCreate, serverMajor, mode, neededBy }: VectorView): Verdict {
  if (mode === 'off') return skipped('VECTOR_EXTENSION=off');
  const who = mode === 'require' ? 'VECTOR_EXTENSION=require' : neededBy && `${neededBy} needs it`;
  const complain = (detail: string, remedy: string) =>
    who === undefined
      ? warning(detail, remedy)
      : failed(`${detail}, and ${who}`, remedy, 'EXTENSION_UNAVAILABLE');

  if (schema === 'public') return ok('installed in public');
  if (schema !== undefined) {
    return complain(
      `installed in the schema ${schema}, which is not in the search path of tenants`,
      `${VECTOR_MOVE_REMEDY} -- as its owner or a superuser`,
    );
  }
  if (available && mayCreate) return warning('not installed yet; the next run installs it', VECTOR_REMEDY);
  if (available)
    return complain('not installed, and this role may not install it', `${VECTOR_REMEDY} -- as a superuser`);
  if (who === undefined) return ok('the server does not have it, and no tenant migration needs it');
  return complain(
    'the server does not have pgvector',
    `Install it on the server's machine: apt-get install postgresql-${serverMajor}-pgvector (or https://github.com/pgvector/pgvector#installation). Then: ${VECTOR_REMEDY}`,
  );
}
