import { execFile } from 'node:child_process';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import * as tenantctl from '../../src/index.ts';
import { createDatabase, createEmbeddedDatabase } from '../support/database.ts';
import { closeGate, WAIT_AT_GATE } from '../support/gate.ts';
import { createTable, usualProject, type TestProject } from '../support/project.ts';

/** Clerk's webhook, as far as it matters here: https://clerk.com/docs/webhooks/overview */
interface ClerkEvent {
  readonly type: string;
  readonly data: { readonly id: string };
}

/** An application: one pool for its whole life, and a handler that makes a tenant of each new organization. */
async function startApplication(database: tenantctl.Database, project: TestProject): Promise<string> {
  const log: tenantctl.RunEvent[] = [];
  const handle = async (request: IncomingMessage): Promise<[number, object]> => {
    const event = (await bodyOf(request)) as ClerkEvent;
    if (event.type !== 'organization.created') return [200, { ignored: event.type }];
    try {
      const result = await tenantctl.provisionTenant(database, event.data.id, {
        folder: project.tenants,
        masterFolder: project.master,
        observe: (each) => log.push(each),
      });
      return [200, { outcome: result.outcome, schema: result.schema, applied: result.applied.length }];
    } catch (error) {
      if (!(error instanceof tenantctl.TenantctlError)) throw error;
      // Clerk delivers again what is not answered with 2xx: so only what a second delivery may mend.
      const status = error.code === 'ORGANIZATION_ID_INVALID' ? 200 : 500;
      return [status, { error: error.toJSON() }];
    }
  };
  const server: Server = createServer((request, response) => {
    void handle(request)
      .catch((error: unknown): [number, object] => [500, { error: String(error) }])
      .then(([status, body]) => response.writeHead(status).end(JSON.stringify(body)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks/clerk`;
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return JSON.parse(text);
}

async function deliver(url: string, event: ClerkEvent): Promise<{ status: number; body: unknown }> {
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(event) });
  return { status: response.status, body: await response.json() };
}

const created = (id: string): ClerkEvent => ({ type: 'organization.created', data: { id } });

async function application(more: Readonly<Record<string, string>> = {}) {
  const testDatabase = await createDatabase();
  const project = await usualProject(more);
  const database = await tenantctl.openDatabase(testDatabase.settings, { maxConnections: 4 });
  await tenantctl.migrateMaster(database, { folder: project.master });
  const url = await startApplication(database, project);
  onTestFinished(() => database.close());
  return { testDatabase, project, database, url };
}

test('a new organization becomes a tenant, and a redelivery changes nothing', async () => {
  const { database, url } = await application();
  expect(await deliver(url, created('org_2abc123def456'))).toEqual({
    status: 200,
    body: { outcome: 'provisioned', schema: tenantctl.schemaNameFor('org_2abc123def456'), applied: 2 },
  });
  expect(await deliver(url, created('org_2abc123def456'))).toMatchObject({
    status: 200,
    body: { outcome: 'already-active', applied: 0 },
  });
  expect(await deliver(url, { type: 'user.created', data: { id: 'user_1' } })).toMatchObject({ status: 200 });
  const tenants = await tenantctl.readTenants(database);
  expect(tenants).toMatchObject([{ clerkOrgId: 'org_2abc123def456', status: 'ACTIVE', hasSchema: true }]);
});

test('two deliveries at once: one does the work, both are answered with success', async () => {
  const { testDatabase, url } = await application({
    'migrations/tenants/3_slow.sql': `-- migrate:up\n${WAIT_AT_GATE}`,
  });
  const gate = await closeGate(testDatabase);
  const deliveries = [deliver(url, created('org_a')), deliver(url, created('org_a'))];
  await gate.reached();
  await sleep(100);
  await gate.open();
  const answers = await Promise.all(deliveries);
  expect(answers.map((answer) => answer.status)).toEqual([200, 200]);
  const outcomes = answers.map((answer) => (answer.body as { outcome: string }).outcome);
  expect(outcomes.toSorted()).toEqual(['already-active', 'provisioned']);
});

test('what fails is answered with the reason, and the next delivery finishes the job', async () => {
  const { project, url } = await application({
    'migrations/tenants/3_bad.sql': '-- migrate:up\nSELECT 1/0;',
  });
  expect(await deliver(url, created('org_a'))).toMatchObject({
    status: 500,
    body: { error: { code: 'MIGRATION_FAILED', tenant: 'org_a', migration: '3_bad.sql', sqlstate: '22012' } },
  });
  await project.write('migrations/tenants/3_bad.sql', createTable('good'));
  expect(await deliver(url, created('org_a'))).toMatchObject({
    status: 200,
    body: { outcome: 'provisioned' },
  });
  expect(await deliver(url, created('bad\nid'))).toMatchObject({
    status: 200,
    body: { error: { code: 'ORGANIZATION_ID_INVALID' } },
  });
});

test('a release: rehearse, migrate, look, and back again, by the names that the package exports', async () => {
  const { testDatabase, project, url } = await application();
  await deliver(url, created('org_a'));
  await deliver(url, created('org_b'));
  const { path } = await tenantctl.makeMigration({ folder: project.tenants, name: 'links', format: 'sql' });
  await project.write(path.slice(project.folder.length), createTable('links'));

  await tenantctl.withDatabase(testDatabase.settings, { maxConnections: 5 }, async (database) => {
    const options = { folder: project.tenants, masterFolder: project.master };
    const rehearsal = await tenantctl.rehearseTenants(database, options);
    expect(tenantctl.rehearsalDocument(rehearsal).plans).toMatchObject([{ targets: [{}, {}] }]);

    const done = await tenantctl.migrateTenants(database, { ...options, concurrency: 2 });
    expect(tenantctl.fleetDocument(done, 'applied', false).totals).toMatchObject({ migrated: 2, failed: 0 });
    const folders = { masterFolder: project.master, tenantFolder: project.tenants };
    const status = tenantctl.statusDocument(await tenantctl.fleetStatus(database, folders), false);
    expect(status).toMatchObject({ tenants: { total: 2, upToDate: 2 }, attention: [] });
    const state = await tenantctl.tenantState(database, 'org_a', folders);
    expect(state).toMatchObject({ pending: [], applied: { length: 3 } });

    const back = await tenantctl.rollbackTenants(database, { folder: project.tenants, tenants: ['org_a'] });
    expect(back.totals).toMatchObject({ selected: 1, changed: 1 });
  });
});

test.each([
  [
    'are on again at once',
    [],
    ['--no-wasm-dynamic-tiering', '--no-wasm-tier-up', '--wasm-dynamic-tiering', '--wasm-tier-up'],
  ],
  ['stay as they are in an application with its own', ['--no-wasm-tier-up'], []],
])(
  'V8 flags, which are those of the whole application, %s',
  async (_, ownFlags, changed) => {
    const { settings } = await createEmbeddedDatabase();
    const project = await usualProject();
    const application = `
    import v8 from 'node:v8';
    import { syncBuiltinESMExports } from 'node:module';
    const flags = [];
    v8.setFlagsFromString = (flag) => void flags.push(flag);
    syncBuiltinESMExports();
    const { openDatabase, migrateMaster, provisionTenant } = await import(${JSON.stringify(join(import.meta.dirname, '../../src/index.ts'))});
    const database = await openDatabase(${JSON.stringify(settings)}, { maxConnections: 1 });
    await migrateMaster(database, { folder: ${JSON.stringify(project.master)} });
    const { outcome } = await provisionTenant(database, 'org_a', { folder: ${JSON.stringify(project.tenants)} });
    await database.close();
    console.log(JSON.stringify({ outcome, flags }));`;
    const args = [...ownFlags, '--input-type=module', '-e', application];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    expect(JSON.parse(stdout)).toEqual({ outcome: 'provisioned', flags: changed });
  },
  60_000,
);

test.each<[string, tenantctl.Observer]>([
  [
    'throws',
    () => {
      throw new Error('the log is full');
    },
  ],
  ['rejects', () => Promise.reject(new Error('the log is full'))],
])('an observer that %s ends neither the run nor the process', async (_name, observe) => {
  const { testDatabase, project } = await application();
  const unhandled: unknown[] = [];
  const listen = (reason: unknown) => unhandled.push(reason);
  process.on('unhandledRejection', listen);
  onTestFinished(() => void process.off('unhandledRejection', listen));
  await tenantctl.withDatabase(testDatabase.settings, { maxConnections: 3 }, async (database) => {
    const options = { folder: project.tenants, masterFolder: project.master, observe };
    expect(await tenantctl.provisionTenants(database, ['org_a', 'org_b'], options)).toMatchObject([
      { outcome: 'provisioned' },
      { outcome: 'provisioned' },
    ]);
    await project.write('migrations/tenants/9_links.sql', createTable('links'));
    expect((await tenantctl.migrateTenants(database, options)).totals).toMatchObject({ changed: 2 });
    await tenantctl.migrateMaster(database, { folder: project.master, observe });
    await tenantctl.fleetStatus(database, { tenantFolder: project.tenants, verify: true, observe });
    expect((await tenantctl.rollbackTenants(database, options)).totals).toMatchObject({ changed: 2 });
  });
  await sleep(20);
  expect(unhandled).toEqual([]);
});

test('what an application leans on is exported by name', () => {
  expect(Object.keys(tenantctl)).toEqual(
    expect.arrayContaining([
      'TenantctlError',
      'assertOrganizationId',
      'diagnose',
      'fleetStatus',
      'initProject',
      'makeMigration',
      'migrateMaster',
      'migrateTenants',
      'openDatabase',
      'provisionTenant',
      'provisionTenants',
      'readTenants',
      'rehearseAll',
      'rollbackMaster',
      'rollbackTenants',
      'schemaNameFor',
      'tenantState',
      'withDatabase',
    ]),
  );
});
