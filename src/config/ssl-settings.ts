import type { Problem } from './settings.ts';
import { readCertificates, readPrivateKey } from './ssl.ts';
import type { Parsed } from './variables.ts';
import type { ServerSettings } from '../db/database.ts';

export interface SslSource {
  readonly parsed: Parsed;
  readonly own: Readonly<Record<string, string>>;
  /** The folder that relative paths start from. */
  readonly folder: string;
  /** The URL's sslmode; undefined without one. */
  readonly urlSsl: boolean | undefined;
}

/** The TLS settings, with the PEM files read and checked; undefined if there are problems. */
export function readSslSettings(
  { parsed, own, folder, urlSsl }: SslSource,
  problems: Problem[],
  warnings: string[],
): ServerSettings['ssl'] | undefined {
  if (!(parsed.DB_SSL ?? urlSsl ?? false)) {
    if (own.DB_SSL_CERT_PATH !== undefined && own.DB_SSL === undefined) {
      warnings.push(
        'DB_SSL_CERT_PATH is set and DB_SSL is not: the connection is not encrypted. Set DB_SSL=true.',
      );
    }
    return false;
  }
  const before = problems.length;
  const ca = pem('DB_SSL_CERT_PATH', own, folder, problems, readCertificates);
  const cert = pem('DB_SSL_CLIENT_CERT_PATH', own, folder, problems, readCertificates);
  const key = pem('DB_SSL_CLIENT_KEY_PATH', own, folder, problems, readPrivateKey);
  if ((own.DB_SSL_CLIENT_CERT_PATH === undefined) !== (own.DB_SSL_CLIENT_KEY_PATH === undefined)) {
    problems.push({
      variable:
        own.DB_SSL_CLIENT_CERT_PATH === undefined ? 'DB_SSL_CLIENT_CERT_PATH' : 'DB_SSL_CLIENT_KEY_PATH',
      message: 'is not set: a client certificate and its key go together',
    });
  } else if (cert !== undefined && key !== undefined && !cert.belongsTo(key)) {
    problems.push({
      variable: 'DB_SSL_CLIENT_KEY_PATH',
      message: `${key.path} is not the key of the certificate in ${cert.path}`,
    });
  }
  if (problems.length > before) return undefined;
  const rejectUnauthorized = parsed.DB_SSL_REJECT_UNAUTHORIZED ?? true;
  if (!rejectUnauthorized) {
    warnings.push(
      "DB_SSL_REJECT_UNAUTHORIZED=false: the server's certificate is not checked, so anybody in between can read and change everything. Set DB_SSL_CERT_PATH instead.",
    );
  }
  return {
    rejectUnauthorized,
    ...(ca !== undefined && { ca: ca.pem }),
    ...(cert !== undefined && { cert: cert.pem }),
    ...(key !== undefined && { key: key.pem }),
  };
}

function pem<File extends object>(
  variable: string,
  own: Readonly<Record<string, string>>,
  folder: string,
  problems: Problem[],
  read: (variable: string, folder: string, name: string) => File | Problem,
): File | undefined {
  const name = own[variable];
  if (name === undefined) return undefined;
  const result = read(variable, folder, name);
  if (!('variable' in result)) return result;
  problems.push(result);
  return undefined;
}
