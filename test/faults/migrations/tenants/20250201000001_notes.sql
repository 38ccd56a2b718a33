-- migrate:up
CREATE TABLE notes (id int PRIMARY KEY, body text NOT NULL);
INSERT INTO notes SELECT n, 'note ' || n FROM generate_series(1, 50) n;
CREATE TABLE deeds (name text NOT NULL);
INSERT INTO deeds VALUES ('notes');
-- migrate:down
DROP TABLE deeds;
DROP TABLE notes;
