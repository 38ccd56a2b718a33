const TABLES = 25;

/** A migration of 25 tables in SQL: each has an index, a unique key, and a foreign key to the one before. */
export const WIDE_MIGRATION = `-- migrate:up\n${Array.from({ length: TABLES }, (_, at) => wideTable(at)).join('')}`;

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
