/*
 * All that db knows of Citus (https://docs.citusdata.com), which puts each new schema on a node of its cluster if
 * citus.enable_schema_based_sharding is on. Its settings are unknown to other servers.
 */
import { identifier, literal } from './sql.ts';

/** SQL for whether new schemas are put on nodes; false on a server without Citus. */
export const SPREADS_SCHEMAS = `coalesce(current_setting('citus.enable_schema_based_sharding', true)::bool, false)`;

/** For a transaction: schemas that it creates are not put on nodes. */
export const KEEP_SCHEMAS = 'SET LOCAL citus.enable_schema_based_sharding TO off';

/** Within these, a transaction creates what the coordinator alone has. */
export const STAYING_HERE = {
  begin: [KEEP_SCHEMAS, 'SET LOCAL citus.enable_ddl_propagation TO off'],
  end: [
    'SET LOCAL citus.enable_schema_based_sharding TO DEFAULT',
    'SET LOCAL citus.enable_ddl_propagation TO DEFAULT',
  ],
};

/**
 * SET LOCAL for a transaction on nodes, too. Citus sends them the text that a statement came in, at once or when it first
 * needs them: so each comes alone, in a block.
 */
export function setOnNodes(setting: string, value: number): string {
  const propagate = (what: string) => `SET LOCAL citus.propagate_set_commands TO ${what};`;
  return `DO $$ BEGIN ${propagate('local')} SET LOCAL ${setting} TO ${value}; ${propagate('DEFAULT')} END $$`;
}

/**
 * For a migration: types and functions that it creates come to the nodes when a table needs them. If they came at once,
 * Citus would create a later table's sequence as the role, and look for it as a superuser, who does not see it yet (42P01
 * or 40P01; EnsureRequiredObjectSetExistOnAllNodes in its dependencies.c). A superuser is spared that. An earlier ALTER
 * TABLE that adds a foreign key to a reference table has made the mode sequential, in which Citus does not wait.
 */
export const CREATE_WHEN_NEEDED = `DO $$ BEGIN
    IF NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
      SET LOCAL citus.create_object_propagation TO deferred;
      SET LOCAL citus.multi_shard_modify_mode TO parallel;
    END IF;
  END $$`;

/** The coordinator could not reach a node: its message with 08006, while its own connection is well. Knex puts the SQL before it. */
export const NODE_AWAY =
  /(?:^| - )(?:connection to the remote node |could not establish any connections to the node )/;

/** Whether a node refused a statement, and not the coordinator. @param where the CONTEXT of the error */
export function isFromNode(where: string | undefined): boolean {
  return /^while executing command on /m.test(where ?? '');
}

/** A query at a node: tables whose names only the server knows, by query_to_xml. Nothing is created there. @param queries SQL for their text as JSON */
const readingText = (
  queries: string,
): string => `$$SELECT CASE set_config('row_security', 'off', true) WHEN 'off' THEN
    (SELECT coalesce(json_agg(json_build_array(q.i, r.id, r.batch, r.name))::text, '[]')
     FROM json_to_recordset($$ || quote_literal(${queries}) || $$) AS q(i int, text text),
       XMLTABLE('/table/row' PASSING query_to_xml(q.text, false, false, '')
                COLUMNS id int, batch int, name text) AS r) END$$`;

/**
 * Reads tables in schemas of which there is one on a node, at all nodes at once: $1 schemas, $2 names of tables, $3 what
 * to select of each: `id`, `batch` and `name`. By node: `schemas`, their places in $1 from 0; `success`; `result`, JSON of
 * [place, id, batch, name]. A shard is the table's name on its node. No policy and no cast of a table's owner runs.
 */
export const READ_ON_NODES = `WITH shards AS MATERIALIZED (
    SELECT w.place - 1 AS i, d.nodename AS host, d.nodeport AS port,
      format('SELECT %s FROM %s', t.columns, shard_name(c.oid::regclass, h.shardid)) AS text
    FROM unnest($1::text[]) WITH ORDINALITY w(schema, place) JOIN pg_namespace n ON n.nspname = w.schema
    JOIN unnest($2::text[], $3::text[]) t(name, columns) ON true
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.name
    JOIN pg_dist_shard h ON h.logicalrelid = c.oid JOIN pg_dist_placement p USING (shardid)
    JOIN pg_dist_node d ON d.groupid = p.groupid AND d.noderole = 'primary'
  ), nodes AS MATERIALIZED (
    SELECT host, port, array_agg(DISTINCT i::int) AS schemas, json_agg(json_build_object('i', i, 'text', text))::text AS queries
    FROM shards GROUP BY host, port
  )
  SELECT n.schemas, r.success, r.result
  FROM (SELECT array_agg(host) AS hosts, array_agg(port) AS ports, array_agg(${readingText('queries')}) AS texts FROM nodes) a
  CROSS JOIN LATERAL master_run_on_worker(a.hosts, a.ports, a.texts, true) r
  JOIN nodes n ON n.host = r.node_name AND n.port = r.node_port
  WHERE a.hosts IS NOT NULL`;

/**
 * The nodes that have prepared transactions which the coordinator has committed, and have not committed them themselves for
 * a second. Asks all nodes at once. The coordinator notes them in its own transaction
 * (https://docs.citusdata.com/en/stable/admin_guide/cluster_management.html), and looks every citus.recover_2pc_interval.
 */
export const UNFINISHED_ON_NODES = `SELECT concat(w.nodename, ':', w.nodeport) AS node, count(*)::int AS transactions,
    (SELECT nullif(greatest(s.setting::bigint, 0), 0) / 1000 FROM pg_settings s
     WHERE s.name = 'citus.recover_2pc_interval')::int AS "withinSeconds"
  FROM run_command_on_workers($$ SELECT coalesce(json_agg(gid), '[]')::text FROM pg_prepared_xacts
    WHERE database = current_database() AND gid LIKE 'citus\\_%' AND prepared < now() - interval '1 second' $$) w
  CROSS JOIN LATERAL json_array_elements_text(CASE WHEN w.success THEN w.result ELSE '[]' END::json) g(gid)
  WHERE EXISTS (SELECT FROM pg_dist_transaction t WHERE t.gid = g.gid)
  GROUP BY w.nodename, w.nodeport ORDER BY 1`;

/** SQL for whether schemas can be on nodes at all: Citus 12 or newer. */
export const HAS_NODES = `to_regclass('pg_catalog.pg_dist_schema') IS NOT NULL`;

/** SQL for whether the schema `n` of pg_namespace is on a node; its tables are empty here then. Only where HAS_NODES. */
export const IS_ON_NODE = 'EXISTS (SELECT FROM pg_dist_schema s WHERE s.schemaid::oid = n.oid)';

/** The nodes, with whether schemas may be put on them. */
export const SELECT_NODES = `SELECT nodename AS host, nodeport AS port, isactive AS "isActive", shouldhaveshards AS "takesTenants"
  FROM pg_dist_node WHERE noderole = 'primary' ORDER BY nodename, nodeport`;

/** SQL for the schemas that are on a node, and where. One without tables is nowhere. */
export const SCHEMAS_ON_NODES = schemasOnNodes('');

/** As SCHEMAS_ON_NODES, with `bytes`: null if the node could not be asked. Asks all nodes at once. */
export const SIZES_ON_NODES = schemasOnNodes(
  ', sum(z.size)::float8 AS bytes',
  'LEFT JOIN (SELECT shard_id, max(size) AS size FROM citus_shard_sizes() GROUP BY 1) z ON z.shard_id = h.shardid',
);

function schemasOnNodes(columns: string, join = ''): string {
  return `SELECT n.nspname::text AS schema, d.nodename AS host, d.nodeport AS port${columns}
    FROM pg_dist_schema s JOIN pg_namespace n ON n.oid = s.schemaid
    JOIN pg_dist_partition p ON p.colocationid = s.colocationid
    JOIN pg_dist_shard h ON h.logicalrelid = p.logicalrelid
    JOIN pg_dist_placement e ON e.shardid = h.shardid
    JOIN pg_dist_node d ON d.groupid = e.groupid AND d.noderole = 'primary' ${join}
    GROUP BY 1, 2, 3`;
}

/** Moves a schema to a node; with `blocksWrites` without logical replication, while nobody can write to it. */
export function moveSchema(
  schema: string,
  to: { host: string; port: number },
  blocksWrites: boolean,
): string {
  const mode = blocksWrites ? 'block_writes' : 'auto';
  return `SELECT citus_schema_move(${literal(identifier(schema))}::regnamespace, ${literal(to.host)}, ${to.port}, '${mode}')`;
}

/** Selects how many bytes of a schema that is being moved are on the new node: `bytes`, null if it is not. */
export function bytesCopied(schema: string): string {
  return `SELECT sum(target_shard_size)::float8 AS bytes FROM get_rebalance_progress() p
    JOIN pg_class c ON c.oid = p.table_name WHERE c.relnamespace = to_regnamespace(${literal(identifier(schema))})`;
}

/** Citus cannot move this table while it is written. */
export const NO_IDENTITY = /^cannot use logical replication to transfer shards of the relation /;
