import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import type { TestProject } from 'vitest/node';
import { fastFolder, prepare, PREPARED } from './postgres-folders.ts';
import { startTestServer } from './server.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The maintenance database of the test server. */
    serverUrl: string;
    serverHasVector: boolean;
    serverVersion: number;
    /** Prefix of template databases for fleets (fleet-template.ts). */
    templatePrefix: string;
    /** A closed embedded database to copy, if the server lacks pgvector. */
    embeddedTemplate: string;
  }
}

/** Builds the program, starts the server, prints its description, and stops it at the end. */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const [servers] = await Promise.all([
    prepare(),
    promisify(execFile)(process.execPath, ['scripts/build.ts']),
  ]);
  process.env[PREPARED] = servers.directory;
  const server = await startTestServer();
  console.log(`\nTests run on ${server.description}.`);
  const template = await mkdtemp(join(await fastFolder(), 'tenantctl-embedded-'));
  if (!server.hasVector) {
    console.log('What needs pgvector runs on PGlite, which has it.');
    const { openDatabase } = await import('../../src/db/open.ts');
    const database = await openDatabase(
      { kind: 'embedded', directory: template, lockWaitMs: 0 },
      { maxConnections: 1 },
    );
    await database.close();
  }
  project.provide('serverUrl', server.url);
  project.provide('serverHasVector', server.hasVector);
  project.provide('serverVersion', server.version);
  project.provide('embeddedTemplate', template);
  const templatePrefix = `template_${randomBytes(4).toString('hex')}_`;
  project.provide('templatePrefix', templatePrefix);
  return async () => {
    await dropDatabases(server.url, templatePrefix);
    await server.stop();
    await servers.remove();
    await rm(template, { recursive: true, force: true });
    const vector = server.hasVector ? '' : ' What needs pgvector ran on PGlite.';
    console.log(`Tests ran on ${server.description}.${vector}`);
  };
}

/** The server may be shared: leave nothing behind. */
async function dropDatabases(serverUrl: string, prefix: string): Promise<void> {
  const client = new Client({ connectionString: serverUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(
      'SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1)',
      [prefix],
    );
    for (const { name } of rows) await client.query(`DROP DATABASE ${name}`);
  } finally {
    await client.end();
  }
}
