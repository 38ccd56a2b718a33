CREATE OR REPLACE VIEW busy_tags AS SELECT id FROM tags WHERE uses > 0;
INSERT INTO deeds VALUES ('busy tags');
