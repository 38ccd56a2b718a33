import type { PoolClient } from 'pg';
import { toDatabaseError } from '../../db/database-error.ts';
import { identifier, qualified } from '../../db/sql.ts';
import { maskInvalid, type Mask, type MaskRule } from './mask.ts';
import { samplesOf, patternOf } from './mask-values.ts';

/** A column of a table that has rules. */
interface ColumnFacts {
  /** The topmost partitioned table, or the table itself. */
  readonly table: string;
  /** The table, or its leaf partitions: they hold the rows. */
  readonly leaves: readonly string[];
  readonly column: string;
  readonly type: string;
  /** Characters that the type holds; null for no limit. */
  readonly length: number | null;
  readonly isNotNull: boolean;
  readonly isGenerated: boolean;
  /** Why its values must stay as they are; null if they need not. */
  readonly key: string | null;
  readonly isUnique: boolean;
}

/** A column to be masked. */
interface MaskedColumn {
  readonly facts: ColumnFacts;
  readonly rule: Exclude<MaskRule, 'keep'>;
}

export interface ColumnMask {
  readonly rule: Exclude<MaskRule, 'keep'>;
  /** SQL after FROM: all rows of the table, those of every partition included. */
  readonly allRows: string;
}

/** The columns that are masked, by table (partitions by themselves) and name. */
export type MaskPlan = ReadonlyMap<string, ReadonlyMap<string, ColumnMask>>;

export interface MaskOptions {
  readonly mask: Mask;
  /** Copies the columns that no rule names, in tables that have rules. Without it they are an error. */
  readonly maskRest?: 'keep' | undefined;
  /** Tables that are copied as they are: the history of the migrations. */
  readonly unmaskable: readonly string[];
}

/** Fewer digits of a hash are likely to meet in a large table. */
const UNIQUE_DIGITS = 16;

/**
 * Checks the rules against the tables of a schema: that each can be applied, that no column is forgotten, and that
 * unique columns stay unique. In the caller's transaction.
 * @throws TenantctlError MASK_INVALID, with all problems
 */
export async function planMask(
  client: PoolClient,
  schema: string,
  { mask, maskRest, unmaskable }: MaskOptions,
): Promise<MaskPlan> {
  const { rows } = await client.query<ColumnFacts>(FACTS, [schema, Object.keys(mask)]);
  const tables = Map.groupBy(rows, ({ table }) => table);
  const problems: string[] = [];
  const masked: MaskedColumn[] = [];
  for (const [table, rules] of Object.entries(mask)) {
    const columns = tables.get(table);
    if (unmaskable.includes(table)) {
      problems.push(`${table} cannot be masked: it is the history of the migrations.`);
      continue;
    }
    if (columns === undefined) {
      problems.push(
        `${table} is no table of ${schema}; rules of a partition belong to its partitioned table.`,
      );
      continue;
    }
    const known = new Set(columns.map(({ column }) => column));
    for (const column of Object.keys(rules))
      if (!known.has(column)) problems.push(`${table} has no column ${column}.`);
    for (const facts of columns) {
      const rule = rules[facts.column];
      if (rule === 'keep' || (rule === undefined && (facts.isGenerated || maskRest === 'keep'))) continue;
      if (rule === undefined) problems.push(`${table}.${facts.column} has no rule.`);
      else masked.push({ facts, rule });
    }
  }
  problems.push(...(await heirsWithoutRules(client, schema, mask)));
  for (const each of masked)
    problems.push(...(ruleProblem(each) ?? (await valueProblems(client, schema, each))));
  if (problems.length > 0) throw maskInvalid(problems);
  return planOf(schema, masked);
}

/** Rows of a table that inherits from one with rules are likely to be of the same kind. */
async function heirsWithoutRules(client: PoolClient, schema: string, mask: Mask): Promise<string[]> {
  const { rows } = await client.query<{ name: string; parent: string }>(
    `SELECT c.relname AS name, p.relname AS parent FROM pg_inherits i
       JOIN pg_class c ON c.oid = i.inhrelid AND NOT c.relispartition JOIN pg_class p ON p.oid = i.inhparent
       JOIN pg_namespace n ON n.oid = p.relnamespace
     WHERE n.nspname = $1 AND p.relname = ANY ($2::text[]) AND c.relname <> ALL ($2::text[]) ORDER BY 1`,
    [schema, Object.keys(mask)],
  );
  return rows.map(({ name, parent }) => `${name} has no rules: it inherits from ${parent}, which has some.`);
}

function planOf(schema: string, masked: readonly MaskedColumn[]): MaskPlan {
  const plan = new Map<string, Map<string, ColumnMask>>();
  for (const { facts, rule } of masked)
    for (const leaf of facts.leaves) {
      const rules = plan.get(leaf) ?? new Map<string, ColumnMask>();
      plan.set(leaf, rules.set(facts.column, { rule, allRows: allRowsOf(schema, facts) }));
    }
  return plan;
}

/** Without those of tables that inherit from it. */
function allRowsOf(schema: string, { table, leaves }: ColumnFacts): string {
  return `${leaves.includes(table) ? 'ONLY ' : ''}${qualified(schema, table)}`;
}

/** What is wrong with a rule, whatever the values are. Pure. */
function ruleProblem({ facts, rule }: MaskedColumn): readonly string[] | undefined {
  const problem = (text: string) => [`${facts.table}.${facts.column} ${text}`];
  if (facts.isGenerated) return problem('is generated: mask the columns that it is made of.');
  if (facts.key !== null)
    return problem(`cannot be masked: it is part of ${facts.key}. Its rule can be "keep".`);
  if (rule === 'null') return facts.isNotNull ? problem('is NOT NULL.') : [];
  if ('constant' in rule && facts.isUnique) return problem('is unique, and a constant is not.');
  if ('hash' in rule && facts.isUnique && rule.hash < UNIQUE_DIGITS)
    return problem(`is unique: its hash needs ${UNIQUE_DIGITS} digits or more.`);
  return undefined;
}

/** What is wrong with the values that a rule makes. */
async function valueProblems(client: PoolClient, schema: string, masked: MaskedColumn): Promise<string[]> {
  const { facts, rule } = masked;
  const { table, column, type, length } = facts;
  for (const value of samplesOf(rule)) {
    if (length !== null && value.length > length)
      return [`${table}.${column} has the type ${type}, which cannot hold ${value.length} characters.`];
    const refusal = await refusalOf(client, value, type);
    if (refusal !== undefined) return [`${table}.${column} has the type ${type}: ${refusal}`];
  }
  const pattern = patternOf(rule);
  if (pattern === undefined || !facts.isUnique) return [];
  const { rows } = await client.query<{ n: string }>(
    `SELECT count(DISTINCT ${identifier(column)}::text)::text AS n FROM ${allRowsOf(schema, facts)}`,
  );
  const needed = BigInt(rows[0]?.n ?? 0);
  return needed <= pattern.capacity
    ? []
    : [
        `${table}.${column} is unique and has ${needed} values: the pattern makes ${pattern.capacity} different ones.`,
      ];
}

/** The server's message, if it cannot read the value as one of the type. */
async function refusalOf(client: PoolClient, value: string, type: string): Promise<string | undefined> {
  await client.query('SAVEPOINT tenantctl_mask');
  try {
    await client.query(`SELECT $1::text::${type}`, [value]);
    await client.query('RELEASE tenantctl_mask');
    return undefined;
  } catch (error) {
    const { message, sqlstate } = toDatabaseError(error);
    // Class 22: data exception; 23: a domain's constraint; 42846: there is no such cast.
    if (!/^(22|23|42846)/.test(sqlstate ?? '')) throw error;
    await client.query('ROLLBACK TO tenantctl_mask; RELEASE tenantctl_mask');
    return `${message}.`;
  }
}

/** $1 schema, $2 tables. A constraint of a partition counts, too: columns are compared by name. */
const FACTS = `
  WITH RECURSIVE tables AS (
    SELECT c.oid AS root, c.relname::text AS name, p.oid AS part, p.relname::text AS part_name, p.relkind
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      CROSS JOIN LATERAL (SELECT c.oid UNION SELECT t.relid FROM pg_partition_tree(c.oid) t) tree (oid)
      JOIN pg_class p ON p.oid = tree.oid
    WHERE n.nspname = $1 AND c.relname = ANY ($2::text[]) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  ), columns AS (
    SELECT t.root, t.part, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.attgenerated
    FROM tables t JOIN pg_attribute a ON a.attrelid = t.part AND a.attnum > 0 AND NOT a.attisdropped
  ), bases AS (
    SELECT DISTINCT atttypid AS type, atttypid AS base, NULL::int AS modifier, false AS is_not_null FROM columns
    UNION ALL
    SELECT b.type, t.typbasetype, t.typtypmod, b.is_not_null OR t.typnotnull
    FROM bases b JOIN pg_type t ON t.oid = b.base AND t.typtype = 'd'
  ), keys AS (
    SELECT c.root, c.attname, CASE k.contype WHEN 'p' THEN 'a primary key' WHEN 'f' THEN 'a foreign key' ELSE 'an exclusion constraint' END AS key
    FROM columns c JOIN pg_constraint k ON k.contype IN ('p', 'f', 'x') AND (k.conrelid = c.part AND c.attnum = ANY (k.conkey)
      OR k.contype = 'f' AND k.confrelid = c.part AND c.attnum = ANY (k.confkey))
    UNION
    SELECT c.root, c.attname, 'a partition key'
    FROM columns c JOIN pg_partitioned_table p ON p.partrelid = c.part AND c.attnum = ANY (p.partattrs)
  ), uniques AS (
    SELECT c.root, c.attname FROM columns c JOIN pg_index i ON i.indrelid = c.part AND i.indisunique
    WHERE c.attnum = ANY (i.indkey) OR EXISTS (
      SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
        AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.part AND d.refobjsubid = c.attnum)
  )
  SELECT t.name AS "table", a.attname::text AS "column", format_type(a.atttypid, a.atttypmod) AS type,
    ARRAY(SELECT l.part_name FROM tables l WHERE l.root = t.root AND l.relkind = 'r') AS leaves,
    CASE WHEN b.base IN ('varchar'::regtype, 'bpchar'::regtype) AND coalesce(b.modifier, a.atttypmod) > 4
         THEN coalesce(b.modifier, a.atttypmod) - 4 END AS length,
    a.attnotnull OR b.is_not_null AS "isNotNull", a.attgenerated <> '' AS "isGenerated",
    (SELECT min(k.key) FROM keys k WHERE k.root = t.root AND k.attname = a.attname) AS key,
    EXISTS (SELECT FROM uniques u WHERE u.root = t.root AND u.attname = a.attname) AS "isUnique"
  FROM tables t JOIN columns a ON a.root = t.root AND a.part = t.part
    JOIN bases b ON b.type = a.atttypid JOIN pg_type y ON y.oid = b.base AND y.typtype <> 'd'
  WHERE t.root = t.part
  ORDER BY t.name, a.attnum`;
