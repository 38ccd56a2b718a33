import { Client } from 'pg';
import type { StartedTestContainer } from 'testcontainers';

/** A cluster whose nodes know one another by names that the tests may not be able to resolve. */
export interface CitusCluster {
  /** Of the coordinator, as a superuser. */
  readonly url: string;
  /** Where a node answers the tests, by the name that the nodes have for it; both are host:port. */
  readonly places: Readonly<Record<string, string>>;
  readonly stop: () => Promise<void>;
}

const IMAGE = 'citusdata/citus:13.2';

const COORDINATOR = 'coordinator';
const WORKERS = ['worker-1', 'worker-2'];

/** What docs/citus.md asks for, and what workers need to copy tenants from one to the other. */
const SETTINGS = [
  'wal_level=logical',
  'max_prepared_transactions=200',
  'max_connections=200',
  'citus.node_conninfo=sslmode=disable',
];

/** A coordinator and two workers in containers; undefined if no engine answers, or if it cannot run the image, which is reported. */
export async function startCitusCluster(): Promise<CitusCluster | undefined> {
  const { GenericContainer, Network, Wait, getContainerRuntimeClient } = await import('testcontainers');
  const answers = await getContainerRuntimeClient().then(
    () => true,
    () => false,
  );
  if (!answers) return undefined;
  const network = await new Network().start();
  const nodes: StartedTestContainer[] = [];
  const stop = async () => {
    for (const node of nodes) await node.stop();
    await network.stop();
  };
  try {
    for (const name of [COORDINATOR, ...WORKERS])
      nodes.push(
        await new GenericContainer(IMAGE)
          .withNetwork(network)
          .withNetworkAliases(name)
          // The nodes log in to one another as every role of the tests.
          .withEnvironment({ POSTGRES_PASSWORD: 'postgres', POSTGRES_HOST_AUTH_METHOD: 'trust' })
          .withCommand(['postgres', ...SETTINGS.flatMap((setting) => ['-c', setting])])
          .withExposedPorts(5432)
          .withWaitStrategy(Wait.forLogMessage(/ready to accept connections/, 2))
          .start(),
      );
    const places = [COORDINATOR, ...WORKERS].map((name, nth) => {
      const node = nodes[nth];
      return [`${name}:5432`, `${node?.getHost()}:${node?.getMappedPort(5432)}`] as const;
    });
    const url = `postgres://postgres:postgres@${places[0]?.[1]}/postgres`;
    await join(url);
    return { url, places: Object.fromEntries(places), stop };
  } catch (error) {
    await stop();
    console.log(
      `Docker answers and cannot run ${IMAGE}: ${error instanceof Error ? error.message : String(error)}`,
    );
    return undefined;
  }
}

/** Makes the workers known in the maintenance database; each database of a test does it for itself. */
async function join(url: string): Promise<void> {
  const client = new Client(url);
  await client.connect();
  try {
    await client.query('SELECT citus_set_coordinator_host($1, 5432)', [COORDINATOR]);
    for (const worker of WORKERS) await client.query('SELECT citus_add_node($1, 5432)', [worker]);
  } finally {
    await client.end();
  }
}
