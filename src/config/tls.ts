import { X509Certificate, createPrivateKey, type KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { readFileBytes, UnreadableFile } from '../text-file.ts';
import type { TlsFiles } from './libpq.ts';
import type { ParsedVariables } from './variables.ts';
import type { ServerSettings } from '../db/database.ts';

interface PemFile {
  readonly path: string;
  readonly pem: string;
}

interface CertificateFile extends PemFile {
  /** Whether the file's first certificate matches this private key. */
  belongsTo(key: PrivateKeyFile): boolean;
}

interface PrivateKeyFile extends PemFile {
  readonly key: KeyObject;
}

/**
 * TLS settings with their PEM files, checked; undefined if there are problems.
 * @param folder base of relative paths
 * @param urlSsl from the URL's sslmode, if any
 */
export function readTlsSettings(
  { parsed, own, problems, warnings }: ParsedVariables,
  folder: string,
  urlSsl: boolean | undefined,
): ServerSettings['ssl'] | undefined {
  if (!(parsed.DB_SSL ?? urlSsl ?? false)) {
    if (own.DB_SSL_CERT_PATH !== undefined && own.DB_SSL === undefined)
      warnings.push({
        variable: 'DB_SSL_CERT_PATH',
        message: 'is set and DB_SSL is not: the connection is not encrypted. Set DB_SSL=true',
        remedy: 'Set DB_SSL=true.',
      });
    return false;
  }
  const before = problems.length;
  const readFile = <File extends PemFile>(variable: string, read: (path: string) => File | string) => {
    const name = own[variable];
    if (name === undefined) return undefined;
    const file = readPath(name, folder, read);
    if (typeof file !== 'string') return file;
    problems.push({ variable, message: file });
    return undefined;
  };
  const ca = readFile('DB_SSL_CERT_PATH', (path) => readCertificates(currentName(path)));
  const [certVariable, keyVariable] = ['DB_SSL_CLIENT_CERT_PATH', 'DB_SSL_CLIENT_KEY_PATH'] as const;
  const cert = readFile(certVariable, readCertificates);
  const key = readFile(keyVariable, readPrivateKey);
  if ((own[certVariable] === undefined) !== (own[keyVariable] === undefined)) {
    problems.push({
      variable: own[certVariable] === undefined ? certVariable : keyVariable,
      message: 'is not set: a client certificate and its key go together',
    });
  } else if (cert !== undefined && key !== undefined && !cert.belongsTo(key)) {
    const message = `${key.path} is not the key of the certificate in ${cert.path}`;
    problems.push({ variable: keyVariable, message });
  }
  if (problems.length > before) return undefined;
  const rejectUnauthorized = parsed.DB_SSL_REJECT_UNAUTHORIZED;
  if (!rejectUnauthorized)
    warnings.push({
      variable: 'DB_SSL_REJECT_UNAUTHORIZED',
      message:
        "is false: the server's certificate is not checked, so anybody on the network path can read and change everything. Set DB_SSL_CERT_PATH instead",
    });
  return {
    rejectUnauthorized,
    ...(ca !== undefined && { ca: ca.pem }),
    ...(cert !== undefined && { cert: cert.pem }),
    ...(key !== undefined && { key: key.pem }),
  };
}

/** The files that the variables name, for programs that read them again. */
export function tlsFiles({ own }: Pick<ParsedVariables, 'own'>, folder: string): TlsFiles {
  const path = (name: string | undefined) => (name === undefined ? undefined : resolve(folder, name));
  const ca = path(own.DB_SSL_CERT_PATH);
  return {
    ca: ca && currentName(ca),
    cert: path(own.DB_SSL_CLIENT_CERT_PATH),
    key: path(own.DB_SSL_CLIENT_KEY_PATH),
  };
}

/** Guides save the bundle of Amazon RDS under the name of an authority of 2019; ssl/README.md under its own. */
function currentName(path: string): string {
  const current = join(dirname(path), 'rds-global-bundle.pem');
  const isFormer = basename(path) === 'rds-ca-2019-root.pem' && !existsSync(path);
  return isFormer && existsSync(current) ? current : path;
}

/** What `read` returns, or the problem with the path. */
function readPath<File>(name: string, folder: string, read: (path: string) => File | string): File | string {
  if (/-----BEGIN|[\r\n]/.test(name)) return 'holds the text of a PEM file; set it to the path of the file';
  const path = resolve(folder, name);
  try {
    return read(path);
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error;
    return `${error.message.startsWith('is') ? path : `the file ${path}`} ${error.message}`;
  }
}

/** @returns the certificates of a PEM file, or what is wrong with it @throws UnreadableFile */
function readCertificates(path: string): CertificateFile | string {
  const pem = readFileBytes(path).toString('utf8');
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g);
  if (blocks === null) return `${path} holds no PEM certificate (-----BEGIN CERTIFICATE-----)`;
  try {
    const certificates = blocks.map((block) => new X509Certificate(block));
    const [first] = certificates;
    // A bundle of authorities always has some expired certificates; it is unusable only if all are.
    return certificates.every((certificate) => certificate.validToDate.getTime() < Date.now())
      ? `the certificate in ${path} expired on ${first?.validTo}`
      : { path, pem, belongsTo: ({ key }) => first?.checkPrivateKey(key) === true };
  } catch {
    return `${path} holds a PEM block that is not a certificate`;
  }
}

/** @returns a client's private key, or what is wrong with it @throws UnreadableFile */
function readPrivateKey(path: string): PrivateKeyFile | string {
  const pem = readFileBytes(path).toString('utf8');
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(pem))
    return `the private key in ${path} needs a passphrase, which tenantctl cannot give: write a copy without one with openssl pkey -in <the key> -out <a file that only its owner may read>`;
  try {
    return { path, pem, key: createPrivateKey(pem) };
  } catch {
    return `${path} holds no private key in PEM form`;
  }
}
