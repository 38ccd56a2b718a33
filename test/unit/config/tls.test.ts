import { generateKeyPairSync } from 'node:crypto';
import { readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readTlsSettings } from '../../../src/config/tls.ts';
import { parseVariables } from '../../../src/config/variables.ts';
import {
  createCertificateFolder,
  type Authority,
  type CertificateFolder,
} from '../../support/certificates.ts';

let folder: CertificateFolder;
let valid: Authority;
let expired: Authority;

beforeAll(async () => {
  folder = await createCertificateFolder();
  [valid, expired] = await Promise.all([folder.authority('valid'), folder.authority('expired', -1)]);
});

afterAll(() => folder.remove());

/** The settings, or the problems as lines. */
function readTls(variables: Readonly<Record<string, string>>) {
  const parsed = parseVariables({ DB_SSL: 'true', ...variables });
  const settings = readTlsSettings(parsed, folder.directory, undefined);
  return settings ?? parsed.problems.map(({ variable, message }) => `${variable} ${message}`);
}

const read = (name: string) => readTls({ DB_SSL_CERT_PATH: name });

test('a certificate in force is read, by an absolute path or one relative to the folder', async () => {
  const settings = { rejectUnauthorized: true, ca: await readFile(valid.cert, 'utf8') };
  expect(read(valid.cert)).toEqual(settings);
  expect(read('valid.crt')).toEqual(settings);
});

test("the former name of Amazon's bundle leads to the file under its present name, if only that exists", async () => {
  const text = await readFile(valid.cert, 'utf8');
  const former = 'rds-ca-2019-root.pem';
  const missing = `DB_SSL_CERT_PATH the file ${join(folder.directory, former)} does not exist`;
  expect(read(former)).toEqual([missing]);
  await writeFile(join(folder.directory, 'rds-global-bundle.pem'), text);
  expect(read(former)).toMatchObject({ ca: text });
  await writeFile(join(folder.directory, former), 'hello');
  expect(read(former)).toEqual([expect.stringContaining('holds no PEM certificate')]);
});

test('a bundle in which some have expired is of use; one in which all have is not', async () => {
  const both = `${await readFile(expired.cert, 'utf8')}\n${await readFile(valid.cert, 'utf8')}`;
  await writeFile(join(folder.directory, 'bundle.pem'), both);

  expect(read('bundle.pem')).toMatchObject({ ca: both });
  expect(read('expired.crt')).toEqual([
    expect.stringMatching(
      /^DB_SSL_CERT_PATH the certificate in .*expired\.crt expired on \w+ +\d+ [\d:]+ \d{4} GMT$/,
    ),
  ]);
});

test('a file that is not a certificate and a broken certificate have different messages', async () => {
  await writeFile(join(folder.directory, 'text.pem'), 'hello');
  await writeFile(
    join(folder.directory, 'broken.pem'),
    '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
  );
  const loop = join(folder.directory, 'loop.pem');
  await symlink(loop, loop);

  for (const [name, problem] of [
    ['absent.pem', `the file ${join(folder.directory, 'absent.pem')} does not exist`],
    ['loop.pem', `the file ${loop} cannot be read (ELOOP)`],
    ['.', `${folder.directory} is a folder, not a file`],
    ['text.pem', 'holds no PEM certificate'],
    ['broken.pem', 'holds a PEM block that is not a certificate'],
    // A key instead of a certificate.
    ['valid.key', 'holds no PEM certificate'],
  ] as const)
    expect(read(name)).toEqual([expect.stringContaining(problem)]);
});

test('a key that needs a passphrase, a file without a key, and a PEM text instead of a path are refused', async () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const locked = join(folder.directory, 'locked.key');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' });
  await writeFile(locked, pem);

  for (const [key, problem] of [
    ['locked.key', /the private key in .*locked\.key needs a passphrase, .*openssl pkey -in/],
    ['valid.crt', /valid\.crt holds no private key in PEM form$/],
  ] as const)
    expect(readTls({ DB_SSL_CLIENT_CERT_PATH: 'valid.crt', DB_SSL_CLIENT_KEY_PATH: key })).toEqual([
      expect.stringMatching(problem),
    ]);
  expect(read(await readFile(valid.cert, 'utf8'))).toEqual([
    'DB_SSL_CERT_PATH holds the text of a PEM file; set it to the path of the file',
  ]);
});

test('a private key must be that of the first certificate in its file', async () => {
  const both = `${await readFile(expired.cert, 'utf8')}\n${await readFile(valid.cert, 'utf8')}`;
  await writeFile(join(folder.directory, 'bundle.pem'), both);
  const readClient = (cert: string) =>
    readTls({ DB_SSL_CLIENT_CERT_PATH: cert, DB_SSL_CLIENT_KEY_PATH: 'valid.key' });

  expect(readClient('valid.crt')).toMatchObject({ key: await readFile(valid.key, 'utf8') });
  expect(readClient('bundle.pem')).toEqual([
    expect.stringMatching(
      /^DB_SSL_CLIENT_KEY_PATH .*valid\.key is not the key of the certificate in .*bundle\.pem$/,
    ),
  ]);
});
