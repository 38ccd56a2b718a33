-- migrate:up
CREATE TABLE tags (id int PRIMARY KEY, uses int NOT NULL DEFAULT 0);
INSERT INTO tags (id) VALUES (1), (2);
INSERT INTO deeds VALUES ('tags');
-- migrate:down
DELETE FROM deeds WHERE name = 'tags';
DROP TABLE tags;
