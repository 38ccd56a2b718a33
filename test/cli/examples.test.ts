import { createSign, generateKeyPairSync } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { build } from 'esbuild';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startChild } from '../support/child.ts';
import { tenantctl } from '../support/cli.ts';
import { createFleet } from '../support/fleet.ts';

const EXAMPLES = join(import.meta.dirname, '../../examples');
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });

/** A session token of Clerk, signed by a key of this test. Version 2 has the organization in `o`. */
function sessionToken(org: string | undefined, version: 1 | 2 = 2): string {
  const now = Math.floor(Date.now() / 1000);
  const organization = version === 1 ? { org_id: org } : { o: { id: org, rol: 'admin', slg: 'slug' } };
  const claims = {
    iss: 'https://clerk.example',
    sub: 'user_1',
    sid: 'sess_1',
    v: version,
    iat: now - 5,
    nbf: now - 5,
    exp: now + 300,
    ...(org !== undefined && organization),
  };
  const encoded = [{ alg: 'RS256', typ: 'JWT', kid: 'ins_1' }, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  );
  const text = encoded.join('.');
  return `${text}.${createSign('RSA-SHA256').update(text).sign(privateKey).toString('base64url')}`;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Decorators need a compiler. */
async function compiled(file: string): Promise<string> {
  const outfile = join(EXAMPLES, `${file}.compiled.mjs`);
  onTestFinished(() => rm(outfile, { force: true }));
  const tsconfigRaw = { compilerOptions: { experimentalDecorators: true } };
  await build({
    entryPoints: [join(EXAMPLES, file)],
    outfile,
    format: 'esm',
    tsconfigRaw,
    logLevel: 'error',
  });
  return outfile;
}

async function start(program: string, env: Readonly<Record<string, string>>) {
  const port = await freePort();
  const keys = {
    PORT: String(port),
    CLERK_JWT_KEY: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  };
  const child = startChild(process.execPath, [program], { env: { ...env, ...keys } });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await child.done;
  });
  const url = `http://127.0.0.1:${port}/notes`;
  await vi.waitUntil(async () => fetch(url).catch(() => undefined), { timeout: 30_000 });
  return async (token: string | undefined, body?: object) => {
    const response = await fetch(url, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const answer = await response.json();
    return response.ok ? answer : response.status;
  };
}

test.each(['express/app.mjs', 'fastify/app.mjs', 'nestjs/main.ts'])(
  '%s: a request is in the tenant of its session, as the role of the application; errors have a status each',
  async (file) => {
    const { testDatabase, project } = await createFleet(['org_a', 'org_b', 'org_c']);
    const { query, env } = testDatabase;
    const app = `app_${testDatabase.settings.database}`;
    await query(`CREATE ROLE ${app} LOGIN PASSWORD 'app'`);
    onTestFinished(async () => void (await query(`DROP OWNED BY ${app}; DROP ROLE ${app}`)));
    const ctl = (...args: string[]) => tenantctl(args, { cwd: project.folder, env });
    const program = file.endsWith('.ts') ? await compiled(file) : join(EXAMPLES, file);
    const ask = await start(program, { ...env, DB_USER: app, DB_PASSWORD: 'app' });

    expect(await ask(sessionToken('org_a'))).toBe(503);
    expect((await ctl('grant', 'application', app)).exitCode).toBe(0);
    expect((await ctl('tenant', 'suspend', 'org_c')).exitCode).toBe(0);
    expect(await ask(sessionToken('org_a'), { id: 1 })).toEqual({ id: 1 });
    expect(await ask(sessionToken('org_a', 1))).toEqual([{ id: 1 }]);
    expect(await ask(sessionToken('org_b'))).toEqual([]);
    // The same key twice: nothing of the second request is left.
    expect(await ask(sessionToken('org_a'), { id: 1 })).toBe(500);
    expect(await ask(sessionToken('org_a'))).toEqual([{ id: 1 }]);
    // A server that restarts ends the pool's idle connections.
    await query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${app}'`);
    const notes = () => ask(sessionToken('org_a'));
    await expect.poll(notes, { timeout: 10_000 }).toEqual([{ id: 1 }]);
    expect(await ask(sessionToken('org_c'))).toBe(403);
    expect(await ask(sessionToken('org_nope'))).toBe(404);
    expect(await ask(sessionToken(undefined))).toBe(401);
    expect(await ask(undefined)).toBe(401);
    expect(await ask(`${sessionToken('org_a')}x`)).toBe(401);
  },
);
