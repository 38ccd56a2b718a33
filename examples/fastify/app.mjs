// The tenant of a request is the organization of its Clerk session. npm install fastify pg @clerk/backend tenantctl
import { verifyToken } from '@clerk/backend';
import Fastify from 'fastify';
import { Pool } from 'pg';
import { openTenants } from 'tenantctl/tenants';

const { CLERK_JWT_KEY, DB_HOST, DB_PORT, DB_USER, DB_PASSWORD, DB_NAME, PORT } = process.env;
const pool = new Pool({
  host: DB_HOST,
  port: Number(DB_PORT),
  user: DB_USER,
  password: DB_PASSWORD,
  database: DB_NAME,
});
// A server that restarts ends idle connections. Without a listener, that would end the process.
pool.on('error', (error) => console.error(error));
const tenants = openTenants(pool);

/** What a client is told. Every other error is 500. */
const STATUS = {
  TENANT_UNKNOWN: 404,
  TENANT_NOT_ACTIVE: 403,
  TENANT_BEHIND: 503,
  SCHEMA_MISSING: 503,
  RIGHTS_MISSING: 503,
};

const app = Fastify();

app.decorateRequest('org', '');
app.addHook('onRequest', async (request, reply) => {
  const token = (request.headers.authorization ?? '').replace(/^Bearer /, '');
  const claims = await verifyToken(token, { jwtKey: CLERK_JWT_KEY }).catch(() => undefined);
  const org = claims?.org_id ?? claims?.o?.id;
  if (org === undefined) return reply.code(401).send({ error: 'no session with an organization' });
  request.org = org;
});

/** Answers with what the work returns, after the COMMIT. */
const inTenant = (work) => (request) => tenants.run(request.org, (client) => work(client, request));

app.get(
  '/notes',
  inTenant(async (client) => (await client.query('SELECT id FROM notes ORDER BY id')).rows),
);
app.post(
  '/notes',
  inTenant(async (client, { body }) => {
    await client.query('INSERT INTO notes (id) VALUES ($1)', [body.id]);
    return { id: body.id };
  }),
);

app.setErrorHandler((error, _request, reply) => {
  const status = STATUS[error.code] ?? error.statusCode ?? 500;
  if (status >= 500) console.error(error);
  return reply.code(status).send({ error: error.code ?? 'INTERNAL' });
});
app.addHook('onClose', () => pool.end());
await app.listen({ host: '127.0.0.1', port: Number(PORT ?? 3000) });
