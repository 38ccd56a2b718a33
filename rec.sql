BEGIN; SET search_path=tid_0cc175b9c0,public; 
SET client_min_messages=log; 
CALL tenantctl.record('tid_0cc175b9c0'::text, 'up'::text, ARRAY['x']::text[], 5::integer, 2::bigint, 'a'::text);
SET log_statement_stats=on;
\echo record with ledger 200
DO $$ BEGIN FOR i IN 1..200 LOOP CALL tenantctl.record('tid_0cc175b9c0'::text, 'up'::text, ARRAY['x'||i]::text[], 5::integer, 2::bigint, 'a'::text); END LOOP; END $$;
\echo record no ledger 200
DO $$ BEGIN FOR i IN 1..200 LOOP CALL tenantctl.record('tid_0cc175b9c0'::text, 'up'::text, ARRAY['y'||i]::text[], 5::integer, NULL::bigint, 'a'::text); END LOOP; END $$;
\echo plain insert with trigger 200
DO $$ BEGIN FOR i IN 1..200 LOOP EXECUTE format('INSERT INTO tid_0cc175b9c0.knex_migrations_tenant(name,batch,migration_time) VALUES (%L,5,clock_timestamp())','z'||i); END LOOP; END $$;
\echo savepoint 200
SET log_statement_stats=off;
ROLLBACK;
