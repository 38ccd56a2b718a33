import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClientBase } from 'pg';
import { inject } from 'vitest';
import { migrateMaster } from '../../src/core/commands/migrate-master.ts';
import { provisionTenants } from '../../src/core/tenant/provision.ts';
import { openDatabase } from '../../src/db/open.ts';
import { settingsOf } from './database.ts';
import type { TestProject } from './project.ts';

/**
 * The template database for a fleet of these organizations with a project's migrations: copying is much
 * faster than provisioning. Created on first use and shared by all files of the run; global-setup drops it.
 * @param server a session of the test server
 * @returns its name
 */
export async function fleetTemplate(
  server: ClientBase,
  organizations: readonly string[],
  project: TestProject,
): Promise<string> {
  const key = JSON.stringify([organizations, await filesOf(project)]);
  const name = `${inject('templatePrefix')}${createHash('sha256').update(key).digest('hex').slice(0, 16)}`;
  await server.query('SELECT pg_advisory_lock(hashtext($1))', [name]);
  try {
    const { rows } = await server.query('SELECT FROM pg_database WHERE datname = $1', [name]);
    if (rows.length > 0) return name;
    await server.query(`CREATE DATABASE ${name}`);
    try {
      await fill(name, organizations, project);
    } catch (error) {
      await server.query(`DROP DATABASE ${name}`);
      throw error;
    }
    return name;
  } finally {
    await server.query('SELECT pg_advisory_unlock(hashtext($1))', [name]);
  }
}

async function fill(name: string, organizations: readonly string[], project: TestProject): Promise<void> {
  const url = new URL(inject('serverUrl'));
  url.pathname = name;
  const database = await openDatabase(settingsOf(url), { maxConnections: 4 });
  try {
    await migrateMaster(database, { folder: project.master });
    for (const { error } of await provisionTenants(database, organizations, { folder: project.tenants }))
      if (error !== undefined) throw error;
  } finally {
    await database.close();
  }
}

/** Path and text of every file of a project, in order. */
async function filesOf({ folder }: TestProject): Promise<(readonly [string, string])[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name));
  return Promise.all(
    paths.toSorted().map(async (path) => [path.slice(folder.length), await readFile(path, 'utf8')] as const),
  );
}
