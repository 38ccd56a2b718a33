import { X509Certificate, createPrivateKey, type KeyObject } from 'node:crypto';
import { resolve } from 'node:path';
import { readTextFile, UnreadableFile } from '../text-file.ts';
import type { Problem } from './settings.ts';

/** A PEM file that holds certificates, read and checked. */
export interface CertificateFile {
  readonly path: string;
  readonly pem: string;
  /** The file's first certificate belongs to this private key. */
  belongsTo(key: PrivateKeyFile): boolean;
}

/** A PEM file that holds a private key, read and checked. */
export interface PrivateKeyFile {
  readonly path: string;
  readonly pem: string;
  readonly key: KeyObject;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/**
 * Reads the certificates of a PEM file. Missing, unreadable, not a certificate and expired have messages of their own.
 */
export function readCertificates(variable: string, folder: string, name: string): CertificateFile | Problem {
  const file = readPem(variable, folder, name);
  if ('variable' in file) return file;
  const { path, text } = file;
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
  // A bundle of many authorities always has some expired certificates; it is useless if all are.
  if (expired.length === certificates.length) {
    return { variable, message: `the certificate in ${path} expired on ${expired[0]?.validTo}` };
  }
  return { path, pem: text, belongsTo: ({ key }) => certificates[0]?.checkPrivateKey(key) === true };
}

/** Reads a client's private key. */
export function readPrivateKey(variable: string, folder: string, name: string): PrivateKeyFile | Problem {
  const file = readPem(variable, folder, name);
  if ('variable' in file) return file;
  const { path, text } = file;
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text)) {
    return {
      variable,
      message: `the private key in ${path} needs a passphrase; tenantctl reads keys without one: openssl pkey -in <it> -out <a file that only its owner may read>`,
    };
  }
  try {
    return { path, pem: text, key: createPrivateKey(text) };
  } catch {
    return { variable, message: `${path} holds no private key in PEM form` };
  }
}

function readPem(variable: string, folder: string, name: string): { path: string; text: string } | Problem {
  if (/-----BEGIN|[\r\n]/.test(name)) {
    return { variable, message: 'holds the text of a PEM file; it has to be the path of one' };
  }
  const path = resolve(folder, name);
  try {
    return { path, text: readTextFile(path) };
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error;
    const subject = error.message.startsWith('is') ? path : `the file ${path}`;
    return { variable, message: `${subject} ${error.message}` };
  }
}
