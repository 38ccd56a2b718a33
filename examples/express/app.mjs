// The tenant of a request is the organization of its Clerk session. npm install express pg @clerk/backend tenantctl
import { verifyToken } from '@clerk/backend';
import express from 'express';
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

/** The organization of a session token, whose signature is checked; undefined without one. */
async function organizationOf(authorization = '') {
  const token = authorization.replace(/^Bearer /, '');
  const claims = await verifyToken(token, { jwtKey: CLERK_JWT_KEY }).catch(() => undefined);
  return claims?.org_id ?? claims?.o?.id;
}

/** Answers with what the work returns, after the COMMIT. */
function inTenant(work) {
  return async (request, response) => {
    const org = await organizationOf(request.headers.authorization);
    if (org === undefined) return response.status(401).json({ error: 'no session with an organization' });
    return response.json(await tenants.run(org, (client) => work(client, request)));
  };
}

const app = express();
app.use(express.json());

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

app.use((error, _request, response, _next) => {
  const status = STATUS[error.code] ?? 500;
  if (status >= 500) console.error(error);
  response.status(status).json({ error: error.code ?? 'INTERNAL' });
});
app.listen(Number(PORT ?? 3000));
