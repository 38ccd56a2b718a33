/** What a kept recording consists of, as in the table, except what says whether it may be used. */
const CONTENT = ['stem', 'direction', 'key', 'body', 'limits'] as const;

/**
 * SQL for the checksum of a row. It finds accidents: an edit by hand, a damaged restore.
 * @param value gives the SQL for a column
 */
export function rowChecksum(value: (column: string) => string): string {
  const values = [...CONTENT, 'witness', 'is_usable'].map(value).join(', ');
  return `encode(sha256(convert_to(jsonb_build_array(${values})::text, 'UTF8')), 'hex')`;
}

/**
 * One row for each migration and direction: a recording under another key replaces it, so the table does not grow
 * with each release. Texts that are stored here are sent to tenants later: nobody else may write them, whatever
 * default privileges say.
 */
export const RECORDINGS_TABLE: readonly string[] = [
  `CREATE TABLE tenantctl.recordings (
     stem text NOT NULL,
     direction text NOT NULL CHECK (direction IN ('up', 'down')),
     key text NOT NULL,
     body text NOT NULL,
     limits text NOT NULL,
     witness text NOT NULL,
     is_usable boolean NOT NULL,
     kept_at timestamptz NOT NULL DEFAULT now(),
     checksum text NOT NULL,
     PRIMARY KEY (stem, direction))`,
  `COMMENT ON TABLE tenantctl.recordings IS
     'What tenant migrations send. Rows may be deleted at any time.'`,
  `DO $$ DECLARE grantee text; BEGIN
     FOR grantee IN
       SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END
       FROM pg_class c, aclexplode(c.relacl) a
       WHERE c.oid = 'tenantctl.recordings'::regclass AND a.grantee <> c.relowner
     LOOP
       EXECUTE format('REVOKE INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER ON tenantctl.recordings FROM %s', grantee);
     END LOOP;
   END $$`,
];
