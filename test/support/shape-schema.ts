/** Statements that create at least one object of most kinds, for a search path that begins with a new schema. */
export const SHAPE_SCHEMA = `
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE address AS (street text, zip int);
CREATE DOMAIN email AS text DEFAULT 'x' CONSTRAINT has_at CHECK (VALUE LIKE '%@%');
CREATE TYPE span AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = float8mi);
CREATE COLLATION plain (LOCALE = 'C');
CREATE TABLE users (id serial PRIMARY KEY, "Name" varchar(20) NOT NULL DEFAULT 'a', mood mood, address address, email email, tags text[], nick varchar(20) DEFAULT 'a' NOT NULL);
CREATE TABLE notes (
  id bigint GENERATED ALWAYS AS IDENTITY (START WITH 5) PRIMARY KEY,
  user_id int NOT NULL CONSTRAINT notes_user REFERENCES users ON DELETE CASCADE,
  body text, size int GENERATED ALWAYS AS (length(body)) STORED, price numeric(10, 2) CONSTRAINT positive CHECK (price > 0),
  CONSTRAINT once UNIQUE (user_id, body), EXCLUDE USING btree (price WITH =));
CREATE INDEX notes_lower ON notes (lower(body)) WHERE price > 1;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS 'BEGIN PERFORM 1 FROM users; RETURN NEW; END';
CREATE FUNCTION add_two(a int, b int DEFAULT 3) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a + b';
CREATE PROCEDURE nothing() LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE total (numeric) (SFUNC = numeric_add, STYPE = numeric, INITCOND = '0');
CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq);
CREATE CAST (address AS mood) WITH INOUT;
CREATE TRIGGER touched BEFORE UPDATE ON notes FOR EACH ROW WHEN (OLD.price IS DISTINCT FROM NEW.price) EXECUTE FUNCTION touch('a');
CREATE VIEW names WITH (security_barrier) AS SELECT n.id, u."Name" FROM notes n JOIN users u ON u.id = n.user_id;
CREATE RULE no_delete AS ON DELETE TO names DO INSTEAD NOTHING;
CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS notes FROM notes;
CREATE UNIQUE INDEX counted_once ON counted (notes);
CREATE TABLE events (id int, at date NOT NULL, CONSTRAINT events_key PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE events_2020 PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE events_rest PARTITION OF events DEFAULT;
CREATE INDEX events_at ON events (at);
CREATE TRIGGER touched AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION touch();
ALTER TABLE events ADD CONSTRAINT events_user FOREIGN KEY (id) REFERENCES users;
CREATE TABLE parents (a int, b text) WITH (fillfactor = 70);
CREATE TABLE children (c int) INHERITS (parents);
CREATE TABLE addresses OF address;
CREATE SEQUENCE numbers INCREMENT BY 2;
CREATE POLICY own_notes ON notes FOR SELECT USING (user_id = 1);
CREATE STATISTICS notes_facts ON user_id, price FROM notes;
CREATE TEXT SEARCH DICTIONARY words (TEMPLATE = simple, stopwords = english);
CREATE TEXT SEARCH CONFIGURATION search (COPY = simple);
COMMENT ON TABLE notes IS 'What users write';
COMMENT ON COLUMN notes.body IS 'Text';
GRANT SELECT ON users TO PUBLIC;
GRANT UPDATE (body) ON notes TO PUBLIC;
REVOKE EXECUTE ON FUNCTION add_two(int, int) FROM PUBLIC`;
