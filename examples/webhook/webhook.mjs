// Clerk's webhook: a new organization gets a tenant, a deleted one is suspended. npm install svix tenantctl
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { Webhook } from 'svix';
import { openDatabase, openProvisioner, suspendTenant } from 'tenantctl';

const { CLERK_WEBHOOK_SIGNING_SECRET, DB_HOST, DB_PORT, DB_USER, DB_PASSWORD, DB_NAME, PORT } = process.env;
const { MIGRATIONS = 'migrations' } = process.env;
const webhook = new Webhook(CLERK_WEBHOOK_SIGNING_SECRET);

/** Milliseconds. Clerk waits 15 seconds for an answer, and then delivers the event again. */
const ANSWER_WITHIN_MS = 10_000;

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

/** What is done for each event; all others are acknowledged. An event that arrives twice changes nothing more. */
const HANDLERS = {
  'organization.created': ({ id }) => provisioner.provision(id),
  // Nothing is dropped: tenantctl tenant resume brings the tenant back. `unfinished`: if this event overtakes
  // organization.created, the tenant is not provisioned any more.
  'organization.deleted': ({ id }) => suspendTenant(database, id, { unfinished: true }),
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
    const done = await HANDLERS[event.type]?.(event.data);
    return [200, done === undefined ? 'nothing to do' : `${done.schema} ${done.outcome}`];
  } catch (error) {
    // The organization was deleted meanwhile.
    if (error.code === 'TENANT_NOT_ACTIVE') return [200, error.message];
    console.error(error);
    if (error.code === 'ORGANIZATION_ID_INVALID' || error.code === 'USAGE') return [422, error.message];
    // Clerk delivers the event again, for some days. 503: it passes by itself. 500: somebody must look.
    return [error.retryable ? 503 : 500, error.code];
  }
}

/** The work goes on. The event that is delivered again finds it done. */
const late = () => sleep(ANSWER_WITHIN_MS, [503, 'still at work'], { ref: false });

const server = createServer(async (request, response) => {
  const [status, text] = await Promise.race([answer(request), late()]);
  response.writeHead(status, status === 503 ? { 'retry-after': '30' } : {}).end(`${text}\n`);
}).listen(Number(PORT ?? 3000));

process.once('SIGTERM', () =>
  server.close(async () => {
    await provisioner.close();
    await database.close();
  }),
);
