-- migrate:up
CREATE TABLE homes (id int PRIMARY KEY, region text NOT NULL REFERENCES public.regions, beside int REFERENCES homes);
INSERT INTO homes VALUES (1, 'north', 2), (2, 'south', 1);
INSERT INTO deeds VALUES ('homes');
-- migrate:down
DELETE FROM deeds WHERE name = 'homes';
DROP TABLE homes;
