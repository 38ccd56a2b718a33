/**
 * The server side of stamps (docs/decisions/0010-stamps.md). A stamp can be trusted because every way to
 * change a history removes the stamp or makes it differ from the table:
 *
 * - A row trigger on both of Knex's tables deletes the stamp on every write except tenantctl's own, including
 *   writes to a parent table. ENABLE ALWAYS makes it fire under session_replication_role = replica and
 *   logical replication
 *   (https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DESC-DISABLE-ENABLE-TRIGGER).
 * - A writer with an older snapshot cannot see, and so cannot delete, a newer stamp. It therefore first
 *   inserts one: if an invisible row exists, the server fails with 40001
 *   (https://www.postgresql.org/docs/current/transaction-iso.html#XACT-REPEATABLE-READ).
 * - The trigger function is in the tenant's schema and does nothing if tenantctl's schema is absent, so that
 *   a dump of the tenant's schema can be restored anywhere.
 * - A stamp belongs to the oid of a history table, so it survives renames and swapped schemas.
 * - A stamp holds each table's file (changed by TRUNCATE and rewrites) and column count, and the transactions
 *   that wrote the catalog rows of triggers and function (xmin) and the stamp itself. A restored table, a
 *   trigger that was disabled and re-enabled, a replaced function and an edited stamp all differ.
 */
export const STAMP_TABLES: readonly string[] = [
  `CREATE TABLE tenantctl.histories (
     digest uuid PRIMARY KEY,
     entries jsonb NOT NULL,
     recorded_at timestamptz NOT NULL DEFAULT now())`,
  `COMMENT ON TABLE tenantctl.histories IS
     'What a history holds: [name, batch] in the order in which they were applied. Stamps refer to it by the digest.'`,
  // Room for a row's next version in its page: a run changes only the digest.
  `CREATE TABLE tenantctl.stamps (
     schema_name text PRIMARY KEY,
     digest uuid NOT NULL,
     history_oid oid NOT NULL,
     lock_oid oid NOT NULL,
     history_guard xid NOT NULL,
     lock_guard xid NOT NULL,
     function_guard xid NOT NULL,
     history_file oid NOT NULL,
     lock_file oid NOT NULL,
     history_columns smallint NOT NULL,
     lock_columns smallint NOT NULL,
     written_by xid NOT NULL) WITH (fillfactor = 60)`,
  `COMMENT ON TABLE tenantctl.stamps IS
     'What each tenant''s history holds. To be believed only as far as the view trusted_stamps does.'`,
  'CREATE INDEX stamps_history_oid ON tenantctl.stamps (history_oid)',
  'CREATE INDEX stamps_lock_oid ON tenantctl.stamps (lock_oid)',
];

/** Upgrades stamps that are keyed by schema name. Writes no stamp, so each is trusted as before. */
export const STAMPS_BY_TABLE: readonly string[] = [
  'ALTER TABLE tenantctl.stamps DROP CONSTRAINT stamps_pkey',
  'DROP INDEX tenantctl.stamps_history_oid, tenantctl.stamps_lock_oid',
  `DELETE FROM tenantctl.stamps s WHERE EXISTS (
     SELECT FROM tenantctl.stamps o
     WHERE o.ctid <> s.ctid AND (o.history_oid = s.history_oid OR o.lock_oid = s.lock_oid))`,
  'ALTER TABLE tenantctl.stamps ADD PRIMARY KEY (history_oid)',
  'CREATE UNIQUE INDEX stamps_lock_oid ON tenantctl.stamps (lock_oid)',
  'ALTER TABLE tenantctl.stamps RENAME history_guard TO history_trigger',
  'ALTER TABLE tenantctl.stamps RENAME lock_guard TO lock_trigger',
  'ALTER TABLE tenantctl.stamps RENAME function_guard TO trigger_function',
  `COMMENT ON COLUMN tenantctl.stamps.schema_name IS 'The name of the schema when the stamp was made.'`,
];
