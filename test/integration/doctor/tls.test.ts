import { readFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  createCertificateFolder,
  type CertificateFiles,
  type CertificateFolder,
} from '../../support/certificates.ts';
import { startPostgres, type PostgresServer } from '../../support/postgres-programs.ts';
import { usualProject } from '../../support/project.ts';
import { examine, failures, line, remedyOf } from './examine.ts';
import type { ServerSettings } from '../../../src/db/database.ts';

describe('a server with TLS', () => {
  let folder: CertificateFolder;
  let server: PostgresServer;
  let certificate: CertificateFiles;
  let ca: string;

  beforeAll(async () => {
    folder = await createCertificateFolder();
    const authority = await folder.authority('Test CA');
    const names = [{ dns: 'localhost' }, { ip: '127.0.0.1' }];
    certificate = await authority.issue('server', 'doctor.test', names, 10);
    ca = await readFile(authority.cert, 'utf8');
    server = await startPostgres({
      settings: ['ssl=on'],
      files: [certificate.cert, certificate.key],
    });
  });
  afterAll(async () => {
    await server.stop();
    await folder.remove();
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
    const check = line(diagnosis, 'certificate');
    expect(check.status).toBe('warning');
    expect(check.detail).toMatch(
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
    const port = await startProxy(server.port, certificate, ca);
    const diagnosis = await examine(await usualProject(), settings({ rejectUnauthorized: true, ca }, port));
    expect(line(diagnosis, 'tls')).toMatchObject({ status: 'failed', code: 'TLS_FAILED' });
    expect(line(diagnosis, 'pooler').status).toBe('ok');
  });
});

/** Answers PostgreSQL's SSLRequest itself and passes on the rest in plain text. @returns its port */
async function startProxy(target: number, files: CertificateFiles, ca: string): Promise<number> {
  const [cert, key] = await Promise.all([readFile(files.cert), readFile(files.key)]);
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
