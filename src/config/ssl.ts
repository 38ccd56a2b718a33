import { X509Certificate, createPrivateKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Problem } from './settings.ts';

/** A PEM file that holds certificates, read and checked. */
export interface CertificateFile {
  readonly path: string;
  readonly pem: string;
  /** The file's first certificate was made for this private key. */
  belongsTo(key: PrivateKeyFile): boolean;
}

/** A PEM file that holds a private key, read and checked. */
export interface PrivateKeyFile {
  readonly path: string;
  readonly pem: string;
  readonly key: KeyObject;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** Reads a PEM file: missing, unreadable, not a certificate, expired each has its own message. */
export function readCertificates(variable: string, folder: string, name: string): CertificateFile | Problem {
  const path = resolve(folder, name);
  const text = readPem(variable, path);
  if (typeof text !== 'string') return text;
  const blocks = text.match(CERTIFICATE);
  if (blocks === null) {
    return { variable, message: `${path} holds no PEM certificate (-----BEGIN CERTIFICATE-----)` };
  }
  const certificates: X509Certificate[] = [];
  for (const block of blocks) {
    try {
      certificates.push(new X509Certificate(block));
    } catch {
      return { variable, message: `${path} holds a PEM block that is no certificate` };
    }
  }
  const expired = certificates.filter((certificate) => certificate.validToDate.getTime() < Date.now());
  // A bundle of many authorities always has some that are past their time; one that is of no use has only such.
  if (expired.length === certificates.length) {
    return { variable, message: `the certificate in ${path} expired on ${expired[0]?.validTo}` };
  }
  return { path, pem: text, belongsTo: ({ key }) => certificates[0]?.checkPrivateKey(key) === true };
}

/** Reads a client's private key. */
export function readPrivateKey(variable: string, folder: string, name: string): PrivateKeyFile | Problem {
  const path = resolve(folder, name);
  const text = readPem(variable, path);
  if (typeof text !== 'string') return text;
  try {
    return { path, pem: text, key: createPrivateKey(text) };
  } catch {
    return { variable, message: `${path} holds no private key in PEM form, or one that needs a passphrase` };
  }
}

function readPem(variable: string, path: string): string | Problem {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return { variable, message: `the file ${path} does not exist` };
    if (code === 'EISDIR') return { variable, message: `${path} is a folder, not a file` };
    return { variable, message: `the file ${path} cannot be read (${code ?? 'unknown reason'})` };
  }
}
