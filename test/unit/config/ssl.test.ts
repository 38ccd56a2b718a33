import { generateKeyPairSync } from 'node:crypto';
import { readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readCertificates, readPrivateKey } from '../../../src/config/ssl.ts';
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

const read = (name: string) => readCertificates('DB_SSL_CERT_PATH', folder.directory, name);

test('a certificate in force is read, by an absolute path or one relative to the folder', () => {
  expect(read(valid.cert)).toMatchObject({ path: valid.cert });
  expect(read('valid.crt')).toMatchObject({
    path: valid.cert,
    pem: expect.stringContaining('BEGIN CERTIFICATE'),
  });
});

test('a bundle in which some have expired is of use; one in which all have is not', async () => {
  const both = `${await readFile(expired.cert, 'utf8')}\n${await readFile(valid.cert, 'utf8')}`;
  await writeFile(join(folder.directory, 'bundle.pem'), both);

  expect(read('bundle.pem')).toMatchObject({ pem: both });
  expect(read('expired.crt')).toEqual({
    variable: 'DB_SSL_CERT_PATH',
    message: expect.stringMatching(
      /^the certificate in .*expired\.crt expired on \w+ +\d+ [\d:]+ \d{4} GMT$/,
    ),
  });
});

test('what is no certificate is told from what is a broken one', async () => {
  await writeFile(join(folder.directory, 'text.pem'), 'hello');
  await writeFile(
    join(folder.directory, 'broken.pem'),
    '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
  );

  expect(read('absent.pem')).toMatchObject({ message: expect.stringMatching(/absent\.pem does not exist$/) });
  expect(read('.')).toMatchObject({ message: `${folder.directory} is a folder, not a file` });
  expect(read('text.pem')).toMatchObject({ message: expect.stringContaining('holds no PEM certificate') });
  expect(read('broken.pem')).toMatchObject({
    message: expect.stringContaining('a PEM block that is no certificate'),
  });
  // A key where a certificate belongs.
  expect(read('valid.key')).toMatchObject({ message: expect.stringContaining('holds no PEM certificate') });
});

test('a file that cannot be read is told with the reason', async () => {
  const path = join(folder.directory, 'loop.pem');
  await symlink(path, path);

  expect(read('loop.pem')).toMatchObject({ message: `the file ${path} cannot be read (ELOOP)` });
});

test('a key that needs a passphrase is told from what is no key, and from a text in the place of a path', async () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const locked = join(folder.directory, 'locked.key');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' });
  await writeFile(locked, pem);
  const readKey = (name: string) => readPrivateKey('DB_SSL_CLIENT_KEY_PATH', folder.directory, name);

  expect(readKey('locked.key')).toMatchObject({
    message: expect.stringMatching(
      /^the private key in .*locked\.key needs a passphrase; .*openssl pkey -in/,
    ),
  });
  expect(readKey(String(privateKey.export({ type: 'pkcs8', format: 'pem' })))).toEqual({
    variable: 'DB_SSL_CLIENT_KEY_PATH',
    message: 'holds the text of a PEM file; it has to be the path of one',
  });
});

test('a private key is read, and known for its certificate', async () => {
  const key = readPrivateKey('DB_SSL_CLIENT_KEY_PATH', folder.directory, 'valid.key');
  const certificate = read('valid.crt');
  const other = read('bundle.pem');

  if (!('key' in key) || !('belongsTo' in certificate) || !('belongsTo' in other))
    throw new Error('not read');
  expect(certificate.belongsTo(key)).toBe(true);
  // The first certificate of a file is the one that counts.
  expect(other.belongsTo(key)).toBe(false);
  expect(readPrivateKey('DB_SSL_CLIENT_KEY_PATH', folder.directory, 'valid.crt')).toEqual({
    variable: 'DB_SSL_CLIENT_KEY_PATH',
    message: `${valid.cert} holds no private key in PEM form`,
  });
});
