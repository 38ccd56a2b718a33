import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { linkPackages } from './linked-packages.ts';

/** A client that Prisma has generated in a folder of its own. */
export interface GeneratedClient<Client> {
  readonly PrismaClient: new (options: { adapter: unknown }) => Client;
  /** It resolves the packages of this repository, and `tenantctl` itself. */
  readonly folder: string;
  remove(): Promise<void>;
}

/** Generates a Prisma client for these models. `generate` needs neither a database nor an engine. */
export async function generatePrismaClient<Client>(models: string): Promise<GeneratedClient<Client>> {
  const folder = await mkdtemp(join(tmpdir(), 'tenantctl-prisma-'));
  const modules = join(import.meta.dirname, '../../node_modules');
  await linkPackages(folder);
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  await writeFile(join(folder, 'prisma.config.ts'), `export default { schema: 'schema.prisma' };\n`);
  await writeFile(
    join(folder, 'schema.prisma'),
    `generator client {
  provider = "prisma-client"
  output = "./generated"
  importFileExtension = "ts"
}
${models}`,
  );
  await promisify(execFile)(
    process.execPath,
    [join(modules, 'prisma/build/index.js'), 'generate', '--schema', 'schema.prisma'],
    {
      cwd: folder,
      // Else it would download the engine of its migrations.
      env: { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, CHECKPOINT_DISABLE: '1' },
    },
  );
  const { PrismaClient } = (await import(join(folder, 'generated/client.ts'))) as GeneratedClient<Client>;
  return { PrismaClient, folder, remove: () => rm(folder, { recursive: true, force: true }) };
}
