import type { ServerSettings } from '../db/database.ts';
import type { Project } from './read-project.ts';
import type { TestServer } from './test-server.ts';

/** A database of a test's own. */
export interface FreshDatabase {
  readonly name: string;
  /** For pg, Prisma and others, and as DATABASE_URL for tenantctl. */
  readonly url: string;
  /** For `openDatabase` of the library. */
  readonly settings: ServerSettings;
  /** Cuts every connection to it, and drops it. A second call does nothing. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Copies a template. */
export async function createFresh(
  server: TestServer,
  project: Project,
  template: string,
): Promise<FreshDatabase> {
  const name = server.newName();
  await server.create(name, template);
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= server.drop(name));
  const url = await project.urlOf(name);
  const settings = { ...project.server, database: name };
  return { name, url, settings, close, [Symbol.asyncDispose]: close };
}
