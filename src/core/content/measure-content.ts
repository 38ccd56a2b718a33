import type { PoolClient } from 'pg';
import { identifier, literal, qualified } from '../../db/sql.ts';
import type { Content, ContentTable } from './content.ts';
import { contentSettings } from './text-form.ts';

export interface TableMeasure {
  readonly rows: bigint;
  /** 32 hexadecimal digits. */
  readonly hash: string;
}

/** Tables per query: each is locked until its query ends, and a table's share of a query's text is small. */
const TABLES_PER_QUERY = 25;

const WORD = 2n ** 64n;

/**
 * Rows and hash of each table of `content`. Two tables have the same hash if they hold the same rows, in whatever
 * order and however often each occurs: it is the sum of the rows' SHA-256, cut to two numbers of 64 bits. The server
 * adds the rows up one by one and keeps none of them. It works on the text of a row in UTF-8, which under
 * contentSettings is the same on each version of PostgreSQL; of SHA-256, unlike md5() and PostgreSQL's own hashes, that
 * is promised, and it works on servers in FIPS mode. In the caller's transaction; it leaves contentSettings behind.
 */
export async function measureContent(
  client: PoolClient,
  schema: string,
  { tables }: Content,
): Promise<ReadonlyMap<string, TableMeasure>> {
  const measures = new Map<string, TableMeasure>();
  await client.query(contentSettings(schema));
  for (let at = 0; at < tables.length; at += TABLES_PER_QUERY) {
    const selects = tables.slice(at, at + TABLES_PER_QUERY).map((table) => selectMeasure(schema, table));
    const { rows } = await client.query<Sums>(selects.join(' UNION ALL '));
    for (const { name, rows: count, high, low } of rows)
      measures.set(name, { rows: BigInt(count), hash: `${digits(high)}${digits(low)}` });
  }
  return measures;
}

interface Sums {
  readonly name: string;
  readonly rows: string;
  readonly high: string;
  readonly low: string;
}

function selectMeasure(schema: string, { name, columns }: ContentTable): string {
  const row = `ROW(${columns.map((column) => `t.${identifier(column)}`).join(', ')})::text`;
  const word = (from: number) => `coalesce(sum(('x' || substr(h, ${from}, 16))::bit(64)::bigint), 0)::text`;
  return `SELECT ${literal(name)} AS name, count(*)::text AS rows, ${word(1)} AS high, ${word(17)} AS low
          FROM (SELECT encode(sha256(convert_to(${row}, 'UTF8')), 'hex') AS h FROM ONLY ${qualified(schema, name)} t) hashed`;
}

/** A sum of signed words, as a word in hexadecimal digits. */
function digits(sum: string): string {
  return (((BigInt(sum) % WORD) + WORD) % WORD).toString(16).padStart(16, '0');
}
