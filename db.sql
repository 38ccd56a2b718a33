CREATE USER dev_user WITH PASSWORD 'dev_pass123';
CREATE DATABASE my_db;
GRANT ALL PRIVILEGES ON DATABASE my_db TO dev_user;
\c my_db
ALTER SCHEMA public OWNER TO dev_user;
-- If migrations use pgvector, which must be installed on the server:
CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public;
