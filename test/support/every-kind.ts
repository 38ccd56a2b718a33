/** What migrations can make, as statements under the tenant's search path; public.plans exists. */
export const EVERY_KIND = `
  CREATE TYPE mood AS ENUM ('sad', 'it''s ok', 'happy');
  CREATE DOMAIN positive AS int CHECK (value > 0);
  CREATE DOMAIN late AS int;
  CREATE TYPE span AS RANGE (subtype = float8);
  CREATE TYPE pair AS (a mood, b text);
  CREATE SEQUENCE free_numbers INCREMENT 7;
  CREATE SEQUENCE "Unused Numbers" START 50;
  -- Alphabetically first, and it refers to later ones: a cycle of two tables.
  CREATE TABLE accounts (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, owner_id int, plan int REFERENCES public.plans,
    name text NOT NULL, shouted text GENERATED ALWAYS AS (upper(name)) STORED);
  CREATE TABLE users (id serial PRIMARY KEY, gone int, account_id bigint REFERENCES accounts, boss_id int REFERENCES users,
    moods mood[], level positive, scores span, facts pair, body jsonb, raw json, bytes bytea, at timestamptz, day date, took interval,
    ratio float8, exact numeric, kind regclass, tags text[], "Quoted ""Column" text);
  ALTER TABLE users DROP COLUMN gone;
  ALTER TABLE accounts ADD CONSTRAINT "owner of it" FOREIGN KEY (owner_id) REFERENCES users ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED;
  COMMENT ON CONSTRAINT "owner of it" ON accounts IS 'it''s a cycle';
  CREATE TABLE nothing ();
  CREATE UNLOGGED TABLE unlogged (id int, note text DEFAULT 'x', CONSTRAINT once UNIQUE (id) DEFERRABLE INITIALLY DEFERRED);
  CREATE TABLE bookings (room int, during int4range, EXCLUDE USING gist (during WITH &&));
  CREATE TABLE events (id int NOT NULL, at date NOT NULL, parent int, parent_at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
  CREATE TABLE events_old PARTITION OF events FOR VALUES FROM (MINVALUE) TO ('2025-01-01');
  CREATE TABLE events_new PARTITION OF events FOR VALUES FROM ('2025-01-01') TO (MAXVALUE) PARTITION BY LIST (id);
  CREATE TABLE events_some PARTITION OF events_new FOR VALUES IN (1, 2, 3);
  CREATE TABLE events_rest PARTITION OF events_new DEFAULT;
  ALTER TABLE events ADD FOREIGN KEY (parent, parent_at) REFERENCES events;
  CREATE TABLE a_log (event int, event_at date, FOREIGN KEY (event, event_at) REFERENCES events);
  CREATE TABLE base (id int, kept text); CREATE TABLE child (more text) INHERITS (base);
  CREATE TABLE secrets (id int); ALTER TABLE secrets ENABLE ROW LEVEL SECURITY; ALTER TABLE secrets FORCE ROW LEVEL SECURITY;
  CREATE POLICY none ON secrets USING (false) WITH CHECK (false);
  CREATE TABLE legacy (id int, account bigint, small late);
  CREATE FUNCTION limit_of(int) RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) FROM users) + 0 * $1; END';
  CREATE TABLE a_check (id int CONSTRAINT counted CHECK (id <= limit_of(id)));
  CREATE MATERIALIZED VIEW z_first AS SELECT name FROM users u JOIN accounts a ON a.id = u.account_id;
  CREATE VIEW middle AS SELECT count(*) AS n FROM z_first;
  CREATE MATERIALIZED VIEW a_second AS SELECT n, 1 AS one FROM middle;
  CREATE MATERIALIZED VIEW empty_one AS SELECT 1 AS one WITH NO DATA;
  CREATE TABLE fired (what text);
  CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO fired VALUES (TG_NAME); RETURN NEW; END';
  CREATE TRIGGER plain AFTER INSERT ON accounts FOR EACH ROW EXECUTE FUNCTION fire();
  CREATE TRIGGER always AFTER INSERT OR TRUNCATE ON accounts EXECUTE FUNCTION fire();
  CREATE TRIGGER replica AFTER INSERT ON accounts FOR EACH ROW EXECUTE FUNCTION fire();
  CREATE TRIGGER "Dis abled" AFTER INSERT ON accounts FOR EACH ROW EXECUTE FUNCTION fire();
  CREATE TRIGGER partitioned AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION fire();
  COMMENT ON TRIGGER partitioned ON events IS 'of all partitions';
  CREATE RULE noted AS ON INSERT TO bookings DO ALSO INSERT INTO fired VALUES ('rule');
  ALTER TABLE accounts ENABLE ALWAYS TRIGGER always, ENABLE REPLICA TRIGGER replica, DISABLE TRIGGER "Dis abled"`;

/** Rows of EVERY_KIND, and at the end the constraints that not all of them satisfy. */
export const ROWS_OF_EVERY_KIND = `
  BEGIN;
  ALTER TABLE secrets NO FORCE ROW LEVEL SECURITY; INSERT INTO secrets VALUES (1), (1), (2);
  INSERT INTO accounts (owner_id, plan, name) VALUES (1, 1, 'Zoë'), (2, NULL, ''), (NULL, 2, E'tab\\there\\nand \\\\N');
  INSERT INTO users (account_id, boss_id, moods, level, scores, facts, body, raw, bytes, at, day, took, ratio, exact, kind, tags, "Quoted ""Column")
  VALUES (1, 2, '{sad,"it''s ok",NULL}', 3, '[0.1,1e300)', '(happy,"a,b")', '{"b": 1.50, "a": null}', '{"b":  1}', '\\x00ff5c', 'infinity', '-infinity', '1 mon -2 days 00:00:00.000001', 'NaN', 'NaN', 'accounts', '{"",NULL}', ''),
         (2, NULL, '{}', NULL, 'empty', NULL, NULL, NULL, '', '0044-03-15 12:00:00 BC', '5874897-12-31', '-178000000 years', 0.1::float8 + 0.2, 1e-300, 'users', NULL, NULL);
  COMMIT;
  INSERT INTO nothing SELECT FROM generate_series(1, 3);
  INSERT INTO unlogged VALUES (1), (2);
  INSERT INTO bookings VALUES (1, '[1,5)'), (1, '[5,9)');
  INSERT INTO events VALUES (1, '2024-01-01', 2, '2026-01-01'), (2, '2026-01-01', 9, '2027-01-01'), (9, '2027-01-01', NULL, NULL);
  INSERT INTO a_log VALUES (1, '2024-01-01'), (9, '2027-01-01');
  INSERT INTO base VALUES (1, 'of base'); INSERT INTO child VALUES (2, 'of child', 'more');
  INSERT INTO legacy VALUES (-1, 99, -5);
  INSERT INTO a_check VALUES (2);
  REFRESH MATERIALIZED VIEW z_first; REFRESH MATERIALIZED VIEW a_second;
  SELECT nextval('free_numbers'), nextval('free_numbers')`;

/** Part of EVERY_KIND, to be run after the rows, some of which do not satisfy them. */
export const NOT_VALID = `
  ALTER TABLE secrets FORCE ROW LEVEL SECURITY;
  ALTER TABLE legacy ADD CONSTRAINT checked CHECK (id > 0) NOT VALID, ADD CONSTRAINT referring FOREIGN KEY (account) REFERENCES accounts NOT VALID;
  ALTER DOMAIN late ADD CONSTRAINT positive CHECK (value > 0) NOT VALID;
  COMMENT ON CONSTRAINT positive ON DOMAIN late IS 'of a domain'`;
