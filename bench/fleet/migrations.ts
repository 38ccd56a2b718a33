/** A tenant migration as a file for Knex and tenantctl, and as equivalent SQL. */
export interface BenchMigration {
  readonly name: string;
  readonly builder: string;
  readonly sql: readonly string[];
}

/** The three migrations of `init`. The SQL is what Knex compiles their builders to. */
export const INIT: readonly BenchMigration[] = [
  {
    name: '20260101000001_chat_messages',
    builder: `exports.up = (knex) =>
  knex.schema.createTable('chat_messages', (table) => {
    table.bigIncrements('id');
    table.string('session_id').notNullable();
    table.string('role').notNullable();
    table.text('content').notNullable();
    table.timestamp('created_at').notNullable().defaultTo(knex.fn.now());
    table.index(['session_id', 'created_at'], 'chat_messages_session');
  });
exports.down = (knex) => knex.schema.dropTable('chat_messages');
`,
    sql: [
      `create table chat_messages (id bigserial primary key, session_id varchar(255) not null, role varchar(255) not null, content text not null, created_at timestamptz not null default CURRENT_TIMESTAMP)`,
      `create index chat_messages_session on chat_messages (session_id, created_at)`,
    ],
  },
  {
    name: '20260101000002_org_users',
    builder: `exports.up = (knex) =>
  knex.schema.createTable('org_users', (table) => {
    table.bigIncrements('id');
    table.string('clerk_user_id').notNullable();
    table.string('email').notNullable();
    table.timestamp('created_at').notNullable().defaultTo(knex.fn.now());
    table.unique(['clerk_user_id'], { indexName: 'org_users_clerk' });
  });
exports.down = (knex) => knex.schema.dropTable('org_users');
`,
    sql: [
      `create table org_users (id bigserial primary key, clerk_user_id varchar(255) not null, email varchar(255) not null, created_at timestamptz not null default CURRENT_TIMESTAMP)`,
      `alter table org_users add constraint org_users_clerk unique (clerk_user_id)`,
    ],
  },
  {
    name: '20260101000003_org_settings',
    builder: `exports.up = (knex) =>
  knex.schema.createTable('org_settings', (table) => {
    table.bigIncrements('id');
    table.bigInteger('user_id').notNullable();
    table.string('key').notNullable();
    table.jsonb('value');
    table.foreign('user_id', 'org_settings_user').references('org_users.id').onDelete('CASCADE');
    table.unique(['user_id', 'key'], { indexName: 'org_settings_key' });
  });
exports.down = (knex) => knex.schema.dropTable('org_settings');
`,
    sql: [
      `create table org_settings (id bigserial primary key, user_id bigint not null, key varchar(255) not null, value jsonb)`,
      `alter table org_settings add constraint org_settings_user foreign key (user_id) references org_users (id) on delete CASCADE`,
      `alter table org_settings add constraint org_settings_key unique (user_id, key)`,
    ],
  },
];

export const ADD: BenchMigration = {
  name: '20260101000004_chat_model',
  builder: `exports.up = (knex) => knex.raw('ALTER TABLE chat_messages ADD COLUMN model text');
exports.down = (knex) => knex.raw('ALTER TABLE chat_messages DROP COLUMN model');
`,
  sql: [`ALTER TABLE chat_messages ADD COLUMN model text`],
};

/** The same after a 20 ms wait, as for a disk, that uses almost no CPU. */
export const ADD_AFTER_WAIT: BenchMigration = {
  name: '20260101000004_chat_model',
  builder: `exports.up = (knex) => knex.raw('SELECT pg_sleep(0.02); ALTER TABLE chat_messages ADD COLUMN model text');
exports.down = (knex) => knex.raw('ALTER TABLE chat_messages DROP COLUMN model');
`,
  sql: [`SELECT pg_sleep(0.02)`, `ALTER TABLE chat_messages ADD COLUMN model text`],
};
