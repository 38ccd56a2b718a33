import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  createCertificateFolder,
  type CertificateFiles,
  type CertificateFolder,
} from '../support/certificates.ts';
import { tenantctl, type CliResult } from '../support/cli.ts';
import { noPsql } from '../support/needs-psql.ts';
import { startPostgres, type PostgresServer } from '../support/postgres-programs.ts';
import { usualProject } from '../support/project.ts';

/** A server whose certificate is for localhost alone; the database `certified` asks for a client's certificate. */
interface TlsServer extends PostgresServer {
  readonly env: Readonly<Record<string, string>>;
  /** What tenantctl said before the server offered TLS. */
  readonly beforeTls: CliResult;
}

let folder: CertificateFolder;
let server: TlsServer;
let ca: CertificateFiles;
let otherCa: CertificateFiles;
let expired: CertificateFiles;
let client: CertificateFiles;
let somebody: CertificateFiles;
let stranger: CertificateFiles;

beforeAll(async () => {
  folder = await createCertificateFolder();
  const authority = await folder.authority('ca');
  const other = await folder.authority('other');
  [ca, otherCa, expired] = [authority, other, await folder.authority('expired', -1)];
  const own = await authority.issue('server', 'localhost', [{ dns: 'localhost' }]);
  client = await authority.issue('client', 'postgres');
  somebody = await authority.issue('somebody', 'somebody');
  stranger = await other.issue('stranger', 'postgres');
  server = await startTlsServer([own.cert, own.key, ca.cert]);
}, 60_000);

afterAll(async () => {
  await server.stop();
  await folder.remove();
});

async function startTlsServer(files: readonly string[]): Promise<TlsServer> {
  const postgres = await startPostgres({
    files,
    settings: ['ssl_cert_file=server.crt', 'ssl_key_file=server.key', 'ssl_ca_file=ca.crt'],
    hba: [
      'local all all trust',
      'hostssl certified all all cert',
      'hostssl all all all trust',
      'hostnossl plain all all trust',
    ],
  });
  const env = {
    DB_HOST: 'localhost',
    DB_PORT: String(postgres.port),
    DB_USER: 'postgres',
    DB_PASSWORD: '',
    DB_NAME: 'postgres',
  };
  const superuser = new Client({
    host: postgres.directory,
    port: postgres.port,
    user: 'postgres',
    database: 'postgres',
  });
  await superuser.connect();
  await superuser.query('CREATE DATABASE certified');
  const beforeTls = await tenantctl(['status'], { cwd: folder.directory, env: { ...env, DB_SSL: 'true' } });
  await superuser.query('ALTER SYSTEM SET ssl = on');
  await superuser.query('SELECT pg_reload_conf()');
  await superuser.end();
  return { ...postgres, env, beforeTls };
}

/** `migrate master --dry-run`, which connects and changes nothing. */
async function connect(
  variables: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Promise<CliResult> {
  const project = await usualProject();
  return tenantctl(['migrate', 'master', '--dry-run', ...args], {
    cwd: project.folder,
    env: { ...server.env, ...variables },
  });
}

const refusal = (code: string, message: RegExp, hint: RegExp) => ({
  ok: false,
  error: { code, message: expect.stringMatching(message), hint: expect.stringMatching(hint) },
});

describe("the server's certificate", () => {
  test('signed by the authority of DB_SSL_CERT_PATH: the connection is encrypted', async () => {
    const project = await usualProject({
      'migrations/master/20250101000002_seen.sql':
        '-- migrate:up\nCREATE TABLE seen AS SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid();\nDO $$BEGIN ASSERT (SELECT ssl FROM seen); END$$;\n',
    });

    const result = await tenantctl(['migrate', 'master', '--dry-run'], {
      cwd: project.folder,
      env: { ...server.env, DB_SSL: 'true', DB_SSL_CERT_PATH: ca.cert },
    });

    expect(result).toMatchObject({ exitCode: 0, stderr: '' });
  });

  test('of an unknown authority: refused, and the hint names the variable to set', async () => {
    const none = await connect({ DB_SSL: 'true' }, ['--json']);
    const wrong = await connect({ DB_SSL: 'true', DB_SSL_CERT_PATH: otherCa.cert }, ['--json']);
    const byUrl = await connect(
      {
        DATABASE_URL: `postgres://postgres@localhost:${server.port}/postgres?sslmode=require`,
        DB_HOST: '',
        DB_PORT: '',
        DB_USER: '',
        DB_NAME: '',
      },
      ['--json'],
    );

    expect([none.exitCode, wrong.exitCode, byUrl.exitCode]).toEqual([4, 4, 4]);
    for (const result of [none, wrong, byUrl]) {
      expect(result.json()).toMatchObject(
        refusal(
          'TLS_FAILED',
          /UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED_CERT_IN_CHAIN/,
          /not signed by a known authority: set DB_SSL_CERT_PATH/,
        ),
      );
    }
  });

  test('for another host name: refused, and the hint names the right host', async () => {
    const result = await connect({ DB_HOST: '127.0.0.1', DB_SSL: 'true', DB_SSL_CERT_PATH: ca.cert }, [
      '--json',
    ]);

    expect(result.exitCode).toBe(4);
    expect(result.json()).toMatchObject(
      refusal(
        'TLS_FAILED',
        /ERR_TLS_CERT_ALTNAME_INVALID/,
        /another host name: set DB_HOST to a name that it contains/,
      ),
    );
  });

  test('unchecked: works, and warns every time', async () => {
    const variables = { DB_SSL: 'true', DB_SSL_REJECT_UNAUTHORIZED: 'false' };

    const results = [await connect(variables), await connect(variables, ['--quiet', '--json'])];

    for (const { exitCode, stderr } of results) {
      expect(exitCode).toBe(0);
      expect(stderr).toContain(
        "! DB_SSL_REJECT_UNAUTHORIZED is false: the server's certificate is not checked",
      );
    }
  });
});

describe('TLS that only one side wants', () => {
  test('the client, but the server has none: exit 4, and the hint names both solutions', () => {
    expect(server.beforeTls.exitCode).toBe(4);
    expect(server.beforeTls.stderr).toContain('does not offer TLS, and DB_SSL=true asks for it.');
    expect(server.beforeTls.stderr).toContain('ssl = on in postgresql.conf');
  });

  test('the server, but the client has none: exit 4, and the hint names the variable to set', async () => {
    const result = await connect({ DB_SSL: 'false' }, ['--json']);

    expect(result.exitCode).toBe(4);
    expect(result.json()).toMatchObject(refusal('LOGIN_FAILED', /no encryption/, /set DB_SSL=true/));
  });
});

describe("a client's certificate", () => {
  const certified = (files?: CertificateFiles) =>
    connect(
      {
        DB_NAME: 'certified',
        DB_SSL: 'true',
        DB_SSL_CERT_PATH: ca.cert,
        ...(files !== undefined && {
          DB_SSL_CLIENT_CERT_PATH: files.cert,
          DB_SSL_CLIENT_KEY_PATH: files.key,
        }),
      },
      ['--json'],
    );

  test('logs in the role that it names', async () => {
    expect(await certified(client)).toMatchObject({ exitCode: 0, stderr: '' });
  });

  test('missing, of another role, or of an unknown authority: each has its own message', async () => {
    const [missing, other, unknown] = [
      await certified(),
      await certified(somebody),
      await certified(stranger),
    ];

    expect([missing.exitCode, other.exitCode, unknown.exitCode]).toEqual([4, 4, 4]);
    expect(missing.json()).toMatchObject(
      refusal('LOGIN_FAILED', /requires a valid client certificate/, /DB_SSL_CLIENT_CERT_PATH/),
    );
    expect(other.json()).toMatchObject(
      refusal(
        'LOGIN_FAILED',
        /certificate authentication failed for user "postgres"/,
        /DB_SSL_CLIENT_CERT_PATH/,
      ),
    );
    expect(unknown.json()).toMatchObject(
      refusal(
        'TLS_FAILED',
        /failed: [\w ]*unknown ca \(ERR_SSL/,
        /refused the client certificate: check DB_SSL_CLIENT_CERT_PATH/,
      ),
    );
  });
});

describe('an unusable certificate file is an error before any connection, exit 3', () => {
  const problemOf = async (variables: Readonly<Record<string, string>>) => {
    const result = await connect({ DB_SSL: 'true', ...variables }, ['--json']);
    expect(result.exitCode).toBe(3);
    return result.json<{ error: { details: string[] } }>().error.details;
  };

  test('missing, a folder, no PEM, expired', async () => {
    const notPem = join(folder.directory, 'not.pem');
    await writeFile(notPem, 'nothing of the kind');

    expect(await problemOf({ DB_SSL_CERT_PATH: 'absent.pem' })).toEqual([
      expect.stringMatching(/^DB_SSL_CERT_PATH: the file .*absent\.pem does not exist$/),
    ]);
    expect(await problemOf({ DB_SSL_CERT_PATH: folder.directory })).toEqual([
      `DB_SSL_CERT_PATH: ${folder.directory} is a folder, not a file`,
    ]);
    expect(await problemOf({ DB_SSL_CERT_PATH: notPem })).toEqual([
      `DB_SSL_CERT_PATH: ${notPem} holds no PEM certificate (-----BEGIN CERTIFICATE-----)`,
    ]);
    expect(await problemOf({ DB_SSL_CERT_PATH: expired.cert })).toEqual([
      expect.stringMatching(/^DB_SSL_CERT_PATH: the certificate in .*expired\.crt expired on /),
    ]);
  });

  test('a client certificate without its key, or with another', async () => {
    expect(await problemOf({ DB_SSL_CLIENT_CERT_PATH: client.cert })).toEqual([
      'DB_SSL_CLIENT_KEY_PATH: is not set: a client certificate and its key go together',
    ]);
    expect(
      await problemOf({ DB_SSL_CLIENT_CERT_PATH: client.cert, DB_SSL_CLIENT_KEY_PATH: somebody.key }),
    ).toEqual([
      `DB_SSL_CLIENT_KEY_PATH: ${somebody.key} is not the key of the certificate in ${client.cert}`,
    ]);
  });
});

test('programs connect as tenantctl does: encrypted, and only to a certificate that it trusts', async ({
  skip,
}) => {
  skip(noPsql !== undefined, noPsql);
  const { folder: cwd } = await usualProject();
  const trusting = { ...server.env, DB_SSL: 'true', DB_SSL_CERT_PATH: ca.cert };
  const forClient = {
    DB_NAME: 'certified',
    DB_SSL_CLIENT_CERT_PATH: client.cert,
    DB_SSL_CLIENT_KEY_PATH: client.key,
  };
  const look = ['-Atc', 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()'];
  const encrypted = { exitCode: 0, stdout: 't\n' };
  for (const env of [trusting, { ...trusting, ...forClient }])
    for (const args of [
      ['migrate', 'master'],
      ['tenant', 'provision', 'org_a'],
    ])
      expect(await tenantctl(args, { cwd, env })).toMatchObject({ exitCode: 0 });

  const byUrl = {
    DATABASE_URL: `postgres://postgres@localhost:${server.port}/postgres`,
    DB_SSL: 'true',
    DB_SSL_CERT_PATH: ca.cert,
  };
  // Without DB_SSL_CERT_PATH, whom Node.js trusts.
  const byNode = { ...server.env, DB_SSL: 'true', NODE_EXTRA_CA_CERTS: ca.cert };
  const unchecked = { ...server.env, DB_SSL: 'true', DB_SSL_REJECT_UNAUTHORIZED: 'false' };
  for (const env of [trusting, { ...trusting, ...forClient }, byUrl, byNode, unchecked])
    expect(await tenantctl(['psql', 'org_a', '--', ...look], { cwd, env })).toMatchObject(encrypted);
  const asked = ['sh', '-c', `psql "$DATABASE_URL" ${look.map((word) => `'${word}'`).join(' ')}`];
  const each = await tenantctl(['each', '--', ...asked], { cwd, env: byUrl });
  expect(each).toMatchObject({ exitCode: 0, stdout: 'org_a | t\n' });

  // They check the certificate themselves: another server at this address is refused.
  const elsewhere = ['sh', '-c', 'PGHOST=127.0.0.1 psql -c "SELECT 1"'];
  const refused = await tenantctl(['each', '--', ...elsewhere], { cwd, env: trusting });
  expect(refused).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('does not match host name'),
  });
});
