/** A rival's history of migrations in a tenant's schema. */
export interface HistoryForm {
  readonly name: 'knex' | 'node-pg-migrate' | 'dbmate';
  readonly table: string;
  readonly create: readonly string[];
  readonly tables: number;
  readonly indexes: number;
  /** The statement that records a migration. `name` is the file's name without extension. */
  readonly record: (name: string, batch: number) => string;
}

/** Used by Knex and tenantctl. */
export const knexHistory: HistoryForm = {
  name: 'knex',
  table: 'knex_migrations_tenant',
  create: [
    'CREATE TABLE knex_migrations_tenant (id serial PRIMARY KEY, name varchar(255), batch integer, migration_time timestamptz)',
    'CREATE TABLE knex_migrations_tenant_lock (index serial PRIMARY KEY, is_locked integer)',
    'INSERT INTO knex_migrations_tenant_lock (is_locked) VALUES (0)',
  ],
  tables: 2,
  indexes: 2,
  record: (name, batch) =>
    `INSERT INTO knex_migrations_tenant (name, batch, migration_time) VALUES ('${name}.js', ${batch}, now())`,
};

export const nodePgMigrateHistory: HistoryForm = {
  name: 'node-pg-migrate',
  table: 'pgmigrations',
  create: [
    'CREATE TABLE pgmigrations (id serial PRIMARY KEY, name varchar(255) NOT NULL, run_on timestamp NOT NULL)',
  ],
  tables: 1,
  indexes: 1,
  record: (name) => `INSERT INTO pgmigrations (name, run_on) VALUES ('${name}', now())`,
};

export const dbmateHistory: HistoryForm = {
  name: 'dbmate',
  table: 'schema_migrations',
  create: ['CREATE TABLE schema_migrations (version varchar(128) PRIMARY KEY)'],
  tables: 1,
  indexes: 1,
  record: (name) => `INSERT INTO schema_migrations (version) VALUES ('${name.split('_')[0]}')`,
};
