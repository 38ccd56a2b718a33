-- migrate:up
ALTER TABLE tags ADD COLUMN label text NOT NULL DEFAULT '';
UPDATE tags SET label = label || 'tag ' || id;
INSERT INTO deeds VALUES ('last');
-- migrate:down
DELETE FROM deeds WHERE name = 'last';
ALTER TABLE tags DROP COLUMN label;
