import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { ServerSettings } from '../../src/db/connection.ts';
import { startPostgres, type PostgresServer } from '../support/postgres-programs.ts';
import { usualProject } from '../support/project.ts';
import { examine, failures, line, remedyOf } from './doctor-examine.ts';

const OPENSSL = 'openssl';
const hasOpenssl = spawnSync(OPENSSL, ['version']).status === 0;

describe.skipIf(!hasOpenssl)('a server with TLS', () => {
  let folder: string;
  let server: PostgresServer;
  let ca: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tenantctl-tls-'));
    const openssl = (...args: string[]) => promisify(execFile)(OPENSSL, args, { cwd: folder });
    const key = (name: string) => ['-newkey', 'rsa:2048', '-nodes', '-keyout', `${name}.key`];
    await openssl('req', '-x509', ...key('ca'), '-out', 'ca.crt', '-subj', '/CN=Test CA', '-days', '90');
    await openssl('req', ...key('server'), '-out', 'server.csr', '-subj', '/CN=doctor.test');
    await writeFile(join(folder, 'san'), 'subjectAltName=DNS:localhost,IP:127.0.0.1');
    const signer = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'san'];
    await openssl('x509', '-req', '-in', 'server.csr', ...signer, '-days', '10', '-out', 'server.crt');
    ca = await readFile(join(folder, 'ca.crt'), 'utf8');
    server = await startPostgres({
      settings: ['ssl=on', 'fsync=off'],
      files: [join(folder, 'server.crt'), join(folder, 'server.key')],
    });
  });
  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const settings = (ssl: ServerSettings['ssl'], port = server.port): ServerSettings => ({
    kind: 'server',
    host: '127.0.0.1',
    port,
    user: 'postgres',
    database: 'postgres',
    ssl,
    connectTimeoutMs: 5_000,
  });

  it('is seen to use it, and its certificate to expire soon', async () => {
    const diagnosis = await examine(await usualProject(), settings({ rejectUnauthorized: true, ca }));
    expect(failures(diagnosis)).toEqual([]);
    expect(line(diagnosis, 'tls')).toMatchObject({
      status: 'ok',
      detail: 'TLSv1.3, the certificate is checked; pg_stat_ssl says the same',
    });
    const certificate = line(diagnosis, 'certificate');
    expect(certificate.status).toBe('warning');
    expect(certificate.detail).toMatch(
      /^for doctor\.test, signed by Test CA, valid to \d{4}-\d\d-\d\d, in 9 days$/,
    );
  });

  it('is told where its certificate is not checked', async () => {
    const diagnosis = await examine(await usualProject(), settings({ rejectUnauthorized: false }));
    expect(line(diagnosis, 'tls').detail).toContain('the certificate is not checked');
  });

  it('is not reached without its authority, and the remedy names the variable', async () => {
    const diagnosis = await examine(await usualProject(), settings({ rejectUnauthorized: true }));
    expect(diagnosis.error?.code).toBe('TLS_FAILED');
    expect(remedyOf(line(diagnosis, 'connection'))).toContain('DB_SSL_CERT_PATH');
  });

  it('behind a proxy that ends TLS is a failed line', async () => {
    const port = await startProxy(server.port, await readFile(join(folder, 'server.key')), ca, folder);
    const diagnosis = await examine(await usualProject(), settings({ rejectUnauthorized: true, ca }, port));
    expect(line(diagnosis, 'tls')).toMatchObject({ status: 'failed', code: 'TLS_FAILED' });
    expect(line(diagnosis, 'pooler').status).toBe('ok');
  });
});

/** Answers PostgreSQL's SSLRequest itself and passes on the rest in plain text. @returns its port */
async function startProxy(target: number, key: Buffer, ca: string, folder: string): Promise<number> {
  const cert = await readFile(join(folder, 'server.crt'));
  const proxy = createServer((socket) => {
    socket.once('data', () => {
      socket.write('S');
      const secure = new TLSSocket(socket, { isServer: true, key, cert, ca });
      const plain = connect(target, '127.0.0.1');
      secure.pipe(plain).pipe(secure);
      for (const end of [secure, plain]) end.on('error', () => {});
    });
  });
  await new Promise<void>((resolve) => {
    proxy.listen(0, '127.0.0.1', resolve);
  });
  onTestFinished(() => {
    proxy.close();
  });
  return (proxy.address() as AddressInfo).port;
}
