/** A table with rows whose deferred triggers have not fired cannot be altered. */
const CHECK_NOW = 'SET CONSTRAINTS ALL IMMEDIATE';

/**
 * What else a random table may have: statements for its quoted name, and a number that makes other names unique. Each
 * table has a column `"the key"`, a column `note`, and beside it there is a table `log`.
 */
export const EXTRAS = {
  generated: (t: string) => [
    `ALTER TABLE ${t} ADD "gene rated" bigint GENERATED ALWAYS AS ("the key" * 2) STORED`,
  ],
  dropped: (t: string) => [`ALTER TABLE ${t} ADD gone int DEFAULT 1`, `ALTER TABLE ${t} DROP COLUMN gone`],
  added: (t: string) => [`ALTER TABLE ${t} ADD late text DEFAULT 'la''te' NOT NULL`],
  indexes: (t: string, n: number) => [
    `CREATE UNIQUE INDEX "in dex${n}" ON ${t} (("the key" + 1) DESC NULLS LAST) WHERE "the key" <> 7`,
    `CREATE STATISTICS "stat s${n}" ON "the key", note FROM ${t}`,
  ],
  checked: (t: string) => [`ALTER TABLE ${t} ADD CHECK (note <> 'never') NO INHERIT`],
  oldViolations: (t: string) => [
    `INSERT INTO ${t} (note) VALUES ('bad')`,
    CHECK_NOW,
    `ALTER TABLE ${t} ADD CONSTRAINT "no bad" CHECK (note <> 'bad') NOT VALID`,
  ],
  trigger: (t: string, n: number) => [
    `CREATE FUNCTION "touch${n}"() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN NEW.note := coalesce(NEW.note, '') || '+'; RETURN NEW; END $f$`,
    `CREATE TRIGGER "tri gger${n}" BEFORE INSERT OR UPDATE ON ${t} FOR EACH ROW EXECUTE FUNCTION "touch${n}"()`,
  ],
  always: (t: string, n: number) => [
    `CREATE FUNCTION "log${n}"() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN INSERT INTO log VALUES (TG_TABLE_NAME, TG_OP); RETURN NULL; END $f$`,
    `CREATE TRIGGER "log${n}" AFTER INSERT ON ${t} FOR EACH ROW EXECUTE FUNCTION "log${n}"()`,
    `ALTER TABLE ${t} ENABLE ALWAYS TRIGGER "log${n}"`,
  ],
  disabled: (t: string, n: number) => [
    `CREATE FUNCTION "never${n}"() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN RAISE 'never'; END $f$`,
    `CREATE TRIGGER "never${n}" BEFORE INSERT ON ${t} EXECUTE FUNCTION "never${n}"()`,
    `ALTER TABLE ${t} DISABLE TRIGGER "never${n}"`,
  ],
  policies: (t: string) => [
    `CREATE POLICY "some rows" ON ${t} USING ("the key" > 0) WITH CHECK (note IS NOT NULL)`,
    `ALTER TABLE ${t} ENABLE ROW LEVEL SECURITY`,
    `ALTER TABLE ${t} FORCE ROW LEVEL SECURITY`,
  ],
  functions: (t: string, n: number) => [
    `CREATE FUNCTION "cou nt${n}"(text) RETURNS bigint LANGUAGE sql STABLE AS $f$ SELECT count(*) FROM log WHERE op = $1 $f$`,
    `CREATE FUNCTION shout${n}(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $f$ BEGIN RETURN upper($1); END $f$`,
    `ALTER TABLE ${t} ADD CHECK ("cou nt${n}"(note) >= 0)`,
    `ALTER TABLE ${t} ADD shouted text GENERATED ALWAYS AS (shout${n}(note)) STORED`,
    `CREATE INDEX ON ${t} (shout${n}(note))`,
  ],
  constraintTrigger: (t: string, n: number) => [
    `CREATE FUNCTION "la ter${n}"() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN INSERT INTO log VALUES ('later', TG_OP); RETURN NULL; END $f$`,
    `CREATE CONSTRAINT TRIGGER "la ter${n}" AFTER INSERT OR UPDATE OF note ON ${t} DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW WHEN (NEW.note IS NOT NULL) EXECUTE FUNCTION "la ter${n}"()`,
  ],
  unique: (t: string, n: number) => [
    `ALTER TABLE ${t} ADD "per iod" int4range`,
    `ALTER TABLE ${t} ADD CONSTRAINT "apart${n}" EXCLUDE USING gist ("per iod" WITH &&) DEFERRABLE INITIALLY DEFERRED`,
    `ALTER TABLE ${t} ADD CONSTRAINT "uni${n}" UNIQUE (shared, "the key")`,
    `CREATE TABLE "refers to ${n}" (a bigint, b bigint, FOREIGN KEY (a, b) REFERENCES ${t} (shared, "the key") MATCH FULL)`,
  ],
  orphans: (t: string, n: number) => [
    `CREATE TABLE "orphans ${n}" (id int, parent bigint)`,
    `INSERT INTO "orphans ${n}" VALUES (1, -999), (2, NULL)`,
    CHECK_NOW,
    `ALTER TABLE "orphans ${n}" ADD CONSTRAINT "old ones" FOREIGN KEY (parent) REFERENCES ${t} NOT VALID`,
    `COMMENT ON CONSTRAINT "old ones" ON "orphans ${n}" IS 'not checked'`,
  ],
  heirs: (t: string, n: number) => [
    `CREATE TABLE "heir of ${n}" (own text DEFAULT 'x') INHERITS (${t})`,
    `INSERT INTO "heir of ${n}" ("the key", note) VALUES (-1, 'inherited')`,
    CHECK_NOW,
    `CREATE UNLOGGED TABLE "like ${n}" (LIKE ${t} INCLUDING ALL)`,
    `CREATE TABLE "no columns ${n}" ()`,
    `INSERT INTO "no columns ${n}" SELECT FROM generate_series(1, 3)`,
  ],
  large: (_: string, n: number) => [
    // More than one part of a backup, without a key, each row twice.
    `CREATE TABLE "large ${n}" (n int, body char(200))`,
    `INSERT INTO "large ${n}" SELECT n % 700, md5((n % 700)::text) FROM generate_series(1, 1400) n`,
  ],
  own: (t: string, n: number) => [
    `ALTER TABLE ${t} ADD table_oid regclass DEFAULT '"log"'`,
    `ALTER TABLE ${t} ADD row_type log`,
    `CREATE VIEW "wri table${n}" WITH (security_barrier) AS SELECT note FROM ${t}`,
    `CREATE RULE "ru le${n}" AS ON INSERT TO "wri table${n}" DO INSTEAD INSERT INTO log VALUES (NEW.note, 'by rule')`,
    `CREATE MATERIALIZED VIEW "mat ${n}" AS SELECT count(*) AS n FROM ${t}`,
    `CREATE UNIQUE INDEX ON "mat ${n}" (n)`,
    `CREATE MATERIALIZED VIEW "empty ${n}" AS SELECT 1 AS one WITH NO DATA`,
  ],
  view: (t: string, n: number) => [
    `CREATE VIEW "vi ew${n}" AS SELECT "the key", upper(note) AS shout FROM ${t} WHERE note IS NOT NULL`,
    `COMMENT ON VIEW "vi ew${n}" IS 'a "view"''s comment'`,
  ],
  comments: (t: string) => [
    `COMMENT ON TABLE ${t} IS E'multi\\nline'`,
    `COMMENT ON COLUMN ${t}.note IS '$1 %s'`,
  ],
  storage: (t: string) => [
    `ALTER TABLE ${t} ALTER note SET STORAGE EXTERNAL`,
    `ALTER TABLE ${t} ALTER note SET STATISTICS 7`,
    `ALTER TABLE ${t} REPLICA IDENTITY FULL`,
  ],
} as const;
export type Extra = keyof typeof EXTRAS;
/** A partitioned table cannot have these, on one of the servers. */
export const NOT_PARTITIONED: readonly Extra[] = [
  'storage',
  'checked',
  'indexes',
  'trigger',
  'unique',
  'heirs',
];
