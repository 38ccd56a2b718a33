INSERT INTO tags (id) VALUES (101), (102);
INSERT INTO deeds VALUES ('seeds');
