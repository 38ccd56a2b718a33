import type { BenchMigration } from './migrations.ts';

/** A migration in SQL whose tables each have an index, a unique key, and a foreign key to the one before. */
export function wideMigration(tables: number): string {
  return `-- migrate:up\n${wideTables(tables)}`;
}

export function wideTables(tables: number): string {
  return Array.from({ length: tables }, (_, at) => wideTable(at)).join('');
}

/** The same with 25 tables, for Knex and for psql. */
export const WIDE: readonly BenchMigration[] = [
  {
    name: '20260101000001_wide',
    builder: `exports.up = (knex) => knex.raw(${JSON.stringify(wideTables(25))});\n`,
    sql: wideTables(25)
      .split(';\n')
      .filter((statement) => statement !== ''),
  },
];

function wideTable(at: number): string {
  const parent = at === 0 ? '' : `,\n  parent_id bigint REFERENCES wide_${at - 1} (id) ON DELETE CASCADE`;
  return `CREATE TABLE wide_${at} (
  id bigserial PRIMARY KEY,
  code text NOT NULL UNIQUE,
  name varchar(255) NOT NULL DEFAULT '',
  details jsonb,
  created_at timestamptz NOT NULL DEFAULT now()${parent}
);
CREATE INDEX wide_${at}_created ON wide_${at} (created_at, name);
`;
}
