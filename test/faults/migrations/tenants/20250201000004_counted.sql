-- migrate:up
UPDATE notes SET importance = importance + 1;
SELECT pg_sleep(0.02);
UPDATE tags SET uses = uses + 1;
INSERT INTO deeds VALUES ('counted');
-- migrate:down
DELETE FROM deeds WHERE name = 'counted';
UPDATE tags SET uses = uses - 1;
UPDATE notes SET importance = importance - 1;
