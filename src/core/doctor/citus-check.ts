import { readFile } from 'node:fs/promises';
import type { Database } from '../../db/database.ts';
import { identifier, literal } from '../../db/sql.ts';
import { counted, listed } from '../../wording.ts';
import { parseSqlMigration } from '../files/sql-file.ts';
import { readUnfinishedOnNodes, type UnfinishedOnNode } from '../fleet/unfinished-on-nodes.ts';
import { unfinishedText } from '../fleet/unfinished-text.ts';
import type { Attempt } from './attempt.ts';
import type { FolderFacts } from './folders.ts';
import { refusedInCode, refusedOnNodes, type RefusedStatement } from './refused-on-nodes.ts';
import { failed, judgeAttempt, ok, warning, type Check, type CheckTable, type Verdict } from './check.ts';

interface Node {
  /** host:port */
  readonly name: string;
  readonly isActive: boolean;
  readonly isCoordinator: boolean;
  /** Schemas whose tables it has. */
  readonly schemas: number;
  /** What the role may do there; absent if the node could not be asked. */
  readonly rights?: NodeRights | undefined;
}

interface NodeRights {
  readonly createsSchemas: boolean;
  /** It may create objects in the schema public. */
  readonly createsInPublic: boolean;
}

export interface CitusFacts {
  /** Of the extension: "13.2-1". */
  readonly version: string;
  readonly spreadsSchemas: boolean;
  readonly isCoordinator: boolean;
  readonly nodes: readonly Node[];
  /** Transactions that are committed, and that nodes have yet to finish. */
  readonly unfinished: readonly UnfinishedOnNode[];
  readonly role: string;
  readonly database: string;
  /** How many migrations of tenants were read. */
  readonly filesRead: number;
  /** Those that could not be read. */
  readonly unread: readonly string[];
  /** What of them nodes will not take. */
  readonly refused: readonly RefusedStatement[];
}

/** Schema-based sharding: https://docs.citusdata.com/en/stable/get_started/concepts.html#schema-based-sharding */
const OLDEST = 12;

const CITUS: CheckTable<CitusFacts> = {
  citus: ['Citus', citus],
  'citus-nodes': ['Nodes of Citus', nodesOf],
  'citus-migrations': ['Migrations on nodes', migrationsOf],
};

/** None if the database has no Citus. */
export function citusChecks(read: Attempt<readonly CitusFacts[]>): Check[] {
  if (read.error !== undefined) return judgeAttempt(CITUS, read, {});
  return read.facts.flatMap((facts) => judgeAttempt(CITUS, { facts }, {}));
}

/** @returns none if the database has no Citus */
export async function readCitusFacts(
  database: Database,
  folder: FolderFacts | undefined,
): Promise<CitusFacts[]> {
  const { rows } = await database.query<{ version: string; role: string; database: string }>(
    `SELECT extversion AS version, current_user::text AS role, current_database()::text AS database
     FROM pg_extension WHERE extname = 'citus'`,
  );
  const [found] = rows;
  if (found === undefined) return [];
  const facts = {
    ...found,
    spreadsSchemas: database.hasNodes,
    isCoordinator: false,
    nodes: [],
    unfinished: [],
    filesRead: 0,
    unread: [],
    refused: [],
  };
  if (Number.parseInt(found.version, 10) < OLDEST) return [facts];
  const unfinished = await readUnfinishedOnNodes(database);
  return [
    { ...facts, ...(await readNodes(database)), unfinished, ...(await readMigrations(database, folder)) },
  ];
}

/** A file that cannot be read is a finding about its folder. */
async function readMigrations(
  database: Database,
  folder: FolderFacts | undefined,
): Promise<Pick<CitusFacts, 'filesRead' | 'unread' | 'refused'>> {
  const { rows } = await database.query<{ name: string }>(
    `SELECT relname::text AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
     AND oid NOT IN (SELECT logicalrelid FROM pg_dist_partition)`,
  );
  const local = new Set(rows.map(({ name }) => name));
  const broken = new Set(folder?.broken.map(({ file }) => file.name));
  const files = (folder?.facts?.files ?? []).filter(({ name }) => !broken.has(name));
  const refused: RefusedStatement[] = [];
  const unread: string[] = [];
  for (const { name, path, format } of files) {
    const text = await readFile(path, 'utf8');
    const read = async () =>
      format === 'sql'
        ? refusedOnNodes(name, (await parseSqlMigration(text, name)).up, local)
        : refusedInCode(name, text, path.endsWith('ts'), local);
    try {
      refused.push(...(await read()));
    } catch {
      unread.push(name);
    }
  }
  return { filesRead: files.length - unread.length, unread, refused };
}

async function readNodes(database: Database): Promise<Pick<CitusFacts, 'isCoordinator' | 'nodes'>> {
  const { rows } = await database.query<Node & { readonly here: number }>(
    `SELECT concat(n.nodename, ':', n.nodeport) AS name, n.isactive AS "isActive", n.groupid = 0 AS "isCoordinator",
       (SELECT count(DISTINCT s.colocationid)::int FROM pg_dist_schema s
        JOIN pg_dist_partition p ON p.colocationid = s.colocationid
        JOIN pg_dist_shard h ON h.logicalrelid = p.logicalrelid
        JOIN pg_dist_placement e ON e.shardid = h.shardid WHERE e.groupid = n.groupid) AS schemas,
       (SELECT groupid FROM pg_dist_local_group) AS here
     FROM pg_dist_node n WHERE n.noderole = 'primary' ORDER BY n.groupid, 1`,
  );
  const isCoordinator = rows.every(({ here }) => here === 0);
  const rights = isCoordinator ? await readRights(database) : new Map<string, NodeRights>();
  const nodes = rows.map((node) => ({ ...node, rights: rights.get(node.name) }));
  return { isCoordinator, nodes };
}

async function readRights(database: Database): Promise<ReadonlyMap<string, NodeRights>> {
  const rights = literal(
    `SELECT has_database_privilege(current_database(), 'CREATE') || ' ' || has_schema_privilege('public', 'CREATE')`,
  );
  const { rows } = await database.query<{ name: string; result: string }>(
    `SELECT concat(nodename, ':', nodeport) AS name, result FROM run_command_on_workers(${rights}) WHERE success`,
  );
  return new Map(
    rows.map(({ name, result }) => {
      const [createsSchemas, createsInPublic] = result.split(' ').map((word) => word === 'true');
      return [name, { createsSchemas: createsSchemas === true, createsInPublic: createsInPublic === true }];
    }),
  );
}

function citus({ version, isCoordinator, spreadsSchemas, database, nodes }: CitusFacts): Verdict {
  const found = `Citus ${version}`;
  if (Number.parseInt(version, 10) < OLDEST)
    return spreadsSchemas
      ? failed(`${found}: tenantctl needs 12.0 or newer`, 'Upgrade Citus.')
      : warning(`${found}: it cannot put schemas on nodes`, 'Upgrade Citus to 12.0 or newer, if it shall.');
  if (!isCoordinator)
    return failed(
      `${found}: this node is no coordinator`,
      'Connect to the coordinator: the registry and what tenantctl records are there only.',
    );
  if (!spreadsSchemas)
    return warning(
      `${found}: schema-based sharding is off, so new tenants stay on this server`,
      `ALTER DATABASE ${identifier(database)} SET citus.enable_schema_based_sharding = on; -- for tenants that are yet to be made`,
    );
  const workers = nodes.filter(({ isCoordinator: is }) => !is);
  return ok(
    `${found}, ${counted(workers.length, 'worker')}: each new tenant is put on a node; the registry and what tenantctl records stay here. Tables on nodes have no triggers, so every history is read each time`,
  );
}

function migrationsOf({ filesRead, unread, refused }: CitusFacts): Verdict {
  const code = 'what code puts together itself shows when it runs';
  const rest = unread.length === 0 ? code : `${listed(unread, Infinity)} could not be read; ${code}`;
  if (refused.length === 0 && unread.length > 0)
    return warning(
      `${counted(filesRead, 'migration')} of tenants read: nothing that nodes do not take; ${rest}`,
      'What cannot be read is sent as it is: try it with one tenant first, by --tenant <org>.',
    );
  if (refused.length === 0)
    return ok(`${counted(filesRead, 'migration')} of tenants read: nothing that nodes do not take; ${rest}`);
  const named = refused.map(({ file, statement, reason }) => `${file}: ${statement} (${reason})`);
  return warning(
    `nodes do not take ${listed(named, Infinity)}; ${rest}`,
    'docs/citus.md, "What migrations cannot do", says what to write instead.',
  );
}

function nodesOf({ nodes, unfinished, role, database }: CitusFacts): Verdict {
  const names = (some: readonly Node[]) => some.map(({ name }) => name).join(', ');
  const workers = nodes.filter(({ isCoordinator }) => !isCoordinator);
  if (workers.length === 0)
    return warning('there are no workers', `SELECT citus_add_node('<host>', 5432); -- as a superuser`);
  const inactive = nodes.filter(({ isActive }) => !isActive);
  if (inactive.length > 0)
    return failed(
      `not active: ${names(inactive)}`,
      inactive
        .map(({ name }) => name.split(/:(?=\d+$)/))
        .map(([host, port]) => `SELECT citus_activate_node('${host}', ${port}); -- as a superuser`)
        .join('\n'),
    );
  const silent = workers.filter(({ rights }) => rights === undefined);
  if (silent.length > 0)
    return failed(
      `could not be asked: ${names(silent)}`,
      `Let the coordinator reach them as ${role}: their tenants can be neither read nor changed meanwhile.`,
    );
  const shut = workers.filter(({ rights }) => rights?.createsSchemas === false);
  if (shut.length > 0)
    return failed(
      `${role} may not create schemas in ${database} on ${names(shut)}: no tenant can be made there`,
      `GRANT CREATE ON DATABASE ${identifier(database)} TO ${identifier(role)}; -- on the coordinator, which tells all nodes that it has by then`,
    );
  const closed = workers.filter(({ rights }) => rights?.createsInPublic === false);
  if (closed.length > 0)
    return warning(
      `${role} may not create objects in public on ${names(closed)}: functions and types of migrations are created on every node`,
      `SET citus.enable_ddl_propagation = off; ALTER SCHEMA public OWNER TO ${identifier(role)}; -- as a superuser, in a session on each of these nodes`,
    );
  if (unfinished.length > 0)
    return warning(
      unfinished.map(unfinishedText).join(' '),
      'SELECT recover_prepared_transactions(); -- on the coordinator, as a superuser: finishes them at once',
    );
  return ok(workers.map(({ name, schemas }) => `${name} has ${counted(schemas, 'schema')}`).join(', '));
}
