// Clerk's webhook: a new organization gets a tenant, a deleted one is suspended. npm install svix tenantctl
import { createServer } from 'node:http';
import { Webhook } from 'svix';
import { openDatabase, openProvisioner, suspendTenant } from 'tenantctl';

const { CLERK_WEBHOOK_SIGNING_SECRET, DB_HOST, DB_PORT, DB_USER, DB_PASSWORD, DB_NAME, PORT } = process.env;
const { MIGRATIONS = 'migrations' } = process.env;
const webhook = new Webhook(CLERK_WEBHOOK_SIGNING_SECRET);

/** Milliseconds. Clerk waits 15 seconds for an answer, and then delivers the event again. */
const PATIENCE_MS = 10_000;

const database = await openDatabase(
  {
    kind: 'server',
    host: DB_HOST,
    port: Number(DB_PORT),
    user: DB_USER,
    password: DB_PASSWORD,
    database: DB_NAME,
    ssl: false,
    connectTimeoutMs: 5_000,
  },
  { maxConnections: 6 },
);
const provisioner = openProvisioner(database, {
  folder: `${MIGRATIONS}/tenants`,
  masterFolder: `${MIGRATIONS}/master`,
  concurrency: 3,
});

/** What is done for each event. All others are acknowledged. */
const HANDLERS = {
  // An event that arrives twice changes nothing the second time.
  async 'organization.created'({ id }) {
    const { schema, outcome } = await provisioner.provision(id, { timeoutMs: PATIENCE_MS });
    return `${schema} ${outcome}`;
  },
  // Nothing is dropped: tenantctl tenant resume brings the tenant back.
  async 'organization.deleted'({ id }) {
    const { schema, outcome } = await suspendTenant(database, id, { lockWaitMs: PATIENCE_MS });
    return `${schema} ${outcome}`;
  },
};

/** Errors after which there is nothing to do. */
const NOTHING_TO_DO = {
  // It was suspended after it had been created.
  'organization.created': 'TENANT_NOT_ACTIVE',
  'organization.deleted': 'TENANT_UNKNOWN',
};

async function answer(request) {
  let event;
  try {
    const body = Buffer.concat(await request.toArray()).toString();
    // The signature is for the body as it arrived. Without a valid one, anybody could create tenants.
    webhook.verify(body, request.headers);
    event = JSON.parse(body);
  } catch {
    return [400, 'not signed by Clerk, or no JSON'];
  }
  try {
    return [200, (await HANDLERS[event.type]?.(event.data)) ?? 'nothing to do'];
  } catch (error) {
    if (error.code === NOTHING_TO_DO[event.type]) return [200, error.message];
    console.error(error);
    if (error.code === 'ORGANIZATION_ID_INVALID' || error.code === 'USAGE') return [422, error.message];
    // Clerk delivers the event again, for some days. 503: it passes by itself. 500: somebody must look.
    return [error.retryable ? 503 : 500, error.code];
  }
}

const server = createServer(async (request, response) => {
  const [status, text] = await answer(request);
  response.writeHead(status).end(`${text}\n`);
}).listen(Number(PORT ?? 3000));

process.once('SIGTERM', () =>
  server.close(async () => {
    await provisioner.close();
    await database.close();
  }),
);
