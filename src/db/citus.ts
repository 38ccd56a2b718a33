/*
 * All that db knows of Citus (https://docs.citusdata.com), which puts each new schema on a node of its cluster if
 * citus.enable_schema_based_sharding is on. Its settings are unknown to other servers.
 */

/** SQL for whether new schemas are put on nodes; false on a server without Citus. */
export const SPREADS_SCHEMAS = `coalesce(current_setting('citus.enable_schema_based_sharding', true)::bool, false)`;

/** Within these, a transaction creates what the coordinator alone has. */
export const STAYING_HERE = {
  begin: [
    'SET LOCAL citus.enable_schema_based_sharding TO off',
    'SET LOCAL citus.enable_ddl_propagation TO off',
  ],
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

/** The coordinator could not reach a node: its message with 08006, while its own connection is well. Knex puts the SQL before it. */
export const NODE_AWAY = /(?:^| - )connection to the remote node /;

/**
 * Where the tables of some names are, in the schemas of which there is one on a node: $1 schemas, $2 names of tables.
 * A shard is the table's name on its node.
 */
export const SHARDS = `SELECT n.nspname AS schema, c.relname AS name, d.nodename AS host, d.nodeport AS port,
    shard_name(c.oid::regclass, h.shardid)::text AS shard
  FROM unnest($1::text[]) w(schema) JOIN pg_namespace n ON n.nspname = w.schema
  JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = ANY ($2::text[])
  JOIN pg_dist_shard h ON h.logicalrelid = c.oid JOIN pg_dist_placement p USING (shardid)
  JOIN pg_dist_node d ON d.groupid = p.groupid AND d.noderole = 'primary'`;

/** Runs a query at each of some nodes, at once: $1 hosts, $2 ports, $3 queries, each of which selects one text. */
export const RUN_ON_NODES = `SELECT success, result FROM master_run_on_worker($1::text[], $2::int[], $3::text[], true)`;
