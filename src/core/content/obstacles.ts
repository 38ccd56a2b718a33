import type { PoolClient } from 'pg';
import { identifier, qualified } from '../../db/sql.ts';
import type { Content } from './content.ts';

/** A trigger or a rule. */
interface Firing {
  readonly kind: 'TRIGGER' | 'RULE';
  readonly table: string;
  readonly name: string;
  /** As in pg_trigger.tgenabled. */
  readonly state: keyof typeof STATES;
  /** Of a trigger that only a superuser can disable in the partitions of its table, before version 15. */
  readonly definition: string | null;
  /** Quoted. */
  readonly comment: string | null;
}

interface Constraint {
  /** Quoted, in ALTER and in COMMENT: it belongs to a table or to a domain. */
  readonly altered: string;
  readonly commented: string;
  readonly name: string;
  readonly definition: string;
  readonly comment: string | null;
  /** Holds for all rows. A constraint that is NOT VALID, or asks a function, may not hold while rows are loaded. */
  readonly isPlain: boolean;
  /** Of a foreign key: the two tables, as their topmost partitioned tables. */
  readonly from: string | null;
  readonly to: string | null;
  /** The table that refers to itself is one table, without partitions. */
  readonly isWhole: boolean;
}

interface Facts {
  /** Tables to empty: topmost partitioned tables stand for their partitions. */
  readonly emptied: readonly { readonly name: string; readonly isPartitioned: boolean }[];
  readonly roots: Readonly<Record<string, string>>;
  readonly firing: readonly Firing[];
  readonly constraints: readonly Constraint[];
  /** Tables whose policies apply to their owner, too. */
  readonly forced: readonly string[];
}

/** What stands in the way of loading rows, as statements. */
export interface Obstacles {
  readonly remove: readonly string[];
  /** Puts back what was removed, as it was. */
  readonly restore: readonly string[];
}

/**
 * Reads what must not act while rows are loaded: triggers and rules of users, policies that apply to the owner, and
 * constraints that hold only for all rows together, or that some rows may violate. The owner of the tables may remove
 * all of them; what a foreign key itself does needs a superuser to disable, hence the order of the tables.
 * @param lockTable is left alone
 */
export async function readObstacles(
  client: PoolClient,
  schema: string,
  content: Content,
  lockTable: string,
): Promise<Obstacles & Pick<Facts, 'emptied'>> {
  const { rows } = await client.query<{ facts: Facts }>(FACTS, [schema, lockTable]);
  const { emptied, firing, constraints, forced, roots } = rows[0]?.facts ?? NONE;
  const order = new Map(content.tables.map(({ name }, at) => [roots[name] ?? name, at]));
  const dropped = constraints.filter((constraint) => isInTheWay(constraint, order));
  const alter = (table: string, action: string) => `ALTER TABLE ${qualified(schema, table)} ${action}`;
  return {
    emptied,
    remove: [
      ...firing.map((each) => silence(schema, each)),
      ...forced.map((table) => alter(table, 'NO FORCE ROW LEVEL SECURITY')),
      ...dropped.map(({ altered, name }) => `ALTER ${altered} DROP CONSTRAINT ${identifier(name)}`),
    ],
    restore: [
      ...dropped.flatMap(addAgain),
      ...firing.flatMap((each) => fireAgain(schema, each)),
      ...forced.map((table) => alter(table, 'FORCE ROW LEVEL SECURITY')),
    ],
  };
}

const NONE: Facts = { emptied: [], roots: {}, firing: [], constraints: [], forced: [] };

const STATES = { O: 'ENABLE', R: 'ENABLE REPLICA', A: 'ENABLE ALWAYS', D: 'DISABLE' } as const;

function silence(schema: string, { kind, table, name, definition }: Firing): string {
  const on = qualified(schema, table);
  return definition === null
    ? `ALTER TABLE ${on} DISABLE ${kind} ${identifier(name)}`
    : `DROP TRIGGER ${identifier(name)} ON ${on}`;
}

function fireAgain(schema: string, { kind, table, name, state, definition, comment }: Firing): string[] {
  const on = qualified(schema, table);
  const quoted = identifier(name);
  if (definition === null) return [`ALTER TABLE ${on} ${STATES[state]} ${kind} ${quoted}`];
  return [
    definition,
    ...(state === 'O' ? [] : [`ALTER TABLE ONLY ${on} ${STATES[state]} TRIGGER ${quoted}`]),
    ...(comment === null ? [] : [`COMMENT ON TRIGGER ${quoted} ON ${on} IS ${comment}`]),
  ];
}

/**
 * A foreign key holds at each moment if the table that it refers to is loaded earlier. To itself, a table may refer
 * within one statement: https://www.postgresql.org/docs/current/sql-set-constraints.html
 */
function isInTheWay({ isPlain, isWhole, from, to }: Constraint, order: ReadonlyMap<string, number>): boolean {
  if (!isPlain) return true;
  if (from === null || to === null) return false;
  if (from === to) return !isWhole;
  return (order.get(to) ?? -1) > (order.get(from) ?? -1);
}

function addAgain({ altered, commented, name, definition, comment }: Constraint): string[] {
  const quoted = identifier(name);
  const add = `ALTER ${altered} ADD CONSTRAINT ${quoted} ${definition}`;
  return comment === null ? [add] : [add, `COMMENT ON CONSTRAINT ${quoted} ON ${commented} IS ${comment}`];
}

/**
 * $1 schema, $2 Knex's lock table. A foreign key to a table outside is never dropped: its lock would stop all who work
 * with that table. A trigger of a partitioned table comes before those that its partitions have from it.
 */
const FACTS = `
  WITH relations AS (
    SELECT c.oid, c.relname::text AS name, c.relkind, c.relispartition, c.relforcerowsecurity,
           CASE WHEN c.relispartition THEN pg_partition_root(c.oid)::oid ELSE c.oid END AS root,
           CASE WHEN c.relispartition THEN (SELECT count(*) FROM pg_partition_ancestors(c.oid)) ELSE 0 END AS level
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND c.relname <> $2
      AND NOT EXISTS (SELECT FROM pg_depend d
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
  ), firing AS (
    SELECT 'TRIGGER' AS kind, r.level, r.name AS table, t.tgname::text AS name, t.tgenabled AS state,
           CASE WHEN p.is_fixed THEN pg_get_triggerdef(t.oid) END AS definition,
           quote_literal(obj_description(t.oid, 'pg_trigger')) AS comment
    FROM relations r JOIN pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal
      CROSS JOIN LATERAL (SELECT EXISTS (
        SELECT FROM pg_depend d JOIN pg_trigger k ON k.oid = d.objid AND k.tgisinternal
        WHERE d.classid = 'pg_trigger'::regclass AND d.refclassid = 'pg_trigger'::regclass AND d.refobjid = t.oid
      ) AS is_fixed) p
    WHERE t.tgenabled <> 'D' OR p.is_fixed
    UNION ALL
    SELECT 'RULE', r.level, r.name, w.rulename, w.ev_enabled, NULL, NULL
    FROM relations r JOIN pg_rewrite w ON w.ev_class = r.oid AND w.ev_enabled <> 'D'
  ), constraints AS (
    SELECT format('TABLE %I.%I', $1::text, r.name) AS altered, format('%I.%I', $1::text, r.name) AS commented,
           k.oid, k.conname::text AS name,
           k.convalidated AND NOT (k.contype = 'c' AND EXISTS (
             SELECT FROM pg_depend d JOIN pg_proc p ON p.oid = d.refobjid JOIN pg_namespace n ON n.oid = p.pronamespace
             WHERE d.classid = 'pg_constraint'::regclass AND d.objid = k.oid AND d.refclassid = 'pg_proc'::regclass
               AND n.nspname = $1)) AS "isPlain",
           o.name AS "from", t.name AS "to", o.relkind = 'r' AS "isWhole"
    FROM pg_constraint k JOIN relations r ON r.oid = k.conrelid JOIN relations o ON o.oid = r.root
      LEFT JOIN relations x ON x.oid = k.confrelid LEFT JOIN relations t ON t.oid = x.root
    WHERE k.contype IN ('f', 'c', 'n') AND k.coninhcount = 0 AND k.conparentid = 0
      AND (k.contype <> 'f' OR x.oid IS NOT NULL)
    UNION ALL
    SELECT format('DOMAIN %I.%I', $1::text, y.typname), format('DOMAIN %I.%I', $1::text, y.typname),
           k.oid, k.conname, false, NULL, NULL, false
    FROM pg_constraint k JOIN pg_type y ON y.oid = k.contypid JOIN pg_namespace n ON n.oid = y.typnamespace
    WHERE n.nspname = $1 AND NOT k.convalidated
  )
  SELECT json_build_object(
    'emptied', (SELECT coalesce(json_agg(json_build_object('name', name, 'isPartitioned', relkind = 'p')), '[]')
      FROM relations WHERE NOT relispartition),
    'roots', (SELECT coalesce(json_object_agg(r.name, o.name), '{}') FROM relations r JOIN relations o ON o.oid = r.root),
    'firing', (SELECT coalesce(json_agg(f ORDER BY level), '[]') FROM firing f),
    'constraints', (SELECT coalesce(json_agg(json_build_object(
        'altered', altered, 'commented', commented, 'name', name, 'isPlain', "isPlain", 'from', "from", 'to', "to",
        'isWhole', "isWhole", 'definition', pg_get_constraintdef(oid),
        'comment', quote_literal(obj_description(oid, 'pg_constraint'))) ORDER BY oid), '[]')
      FROM constraints WHERE NOT "isPlain" OR "from" IS NOT NULL),
    'forced', (SELECT coalesce(json_agg(name), '[]') FROM relations WHERE relforcerowsecurity)
  ) AS facts`;
