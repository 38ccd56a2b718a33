-- migrate:up transaction:false
CREATE INDEX CONCURRENTLY notes_body ON notes (body);
-- migrate:down transaction:false
DROP INDEX CONCURRENTLY notes_body;
