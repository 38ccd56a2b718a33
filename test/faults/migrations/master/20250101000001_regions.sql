-- migrate:up
CREATE TABLE regions (code text PRIMARY KEY, places int NOT NULL);
INSERT INTO regions VALUES ('north', 1), ('south', 2);
CREATE TABLE shared_deeds (name text NOT NULL);
INSERT INTO shared_deeds VALUES ('regions');
-- migrate:down
DROP TABLE shared_deeds;
DROP TABLE regions;
