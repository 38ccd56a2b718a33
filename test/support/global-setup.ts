import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';
import { startTestServer } from './server.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The maintenance database of the server that the tests run on. */
    serverUrl: string;
    serverHasVector: boolean;
    serverVersion: number;
    /** An embedded database that has been created and closed, to be copied: only where the server lacks pgvector. */
    embeddedTemplate: string;
  }
}

/** Builds the program, starts the server, says which one it is, and stops it at the end. */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  await promisify(execFile)(process.execPath, ['scripts/build.ts']);
  const server = await startTestServer();
  console.log(`\nTests run on ${server.description}.`);
  const template = await mkdtemp(join(tmpdir(), 'tenantctl-embedded-'));
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
  return async () => {
    await server.stop();
    await rm(template, { recursive: true, force: true });
    const vector = server.hasVector ? '' : ' What needs pgvector ran on PGlite.';
    console.log(`Tests ran on ${server.description}.${vector}`);
  };
}
