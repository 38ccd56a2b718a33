import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';

export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

export interface Authority extends CertificateFiles {
  /** Issues a certificate for this many days to a server with these names or a client with this user name. */
  issue(
    file: string,
    commonName: string,
    names?: readonly SubjectName[],
    days?: number,
  ): Promise<CertificateFiles>;
}

type SubjectName = { readonly dns: string } | { readonly ip: string };

export interface CertificateFolder {
  readonly directory: string;
  /** Creates an authority whose certificate is valid from a day ago for this many days. */
  authority(name: string, days?: number): Promise<Authority>;
  remove(): Promise<void>;
}

const DAY_MS = 86_400_000;

export async function createCertificateFolder(): Promise<CertificateFolder> {
  const directory = await mkdtemp(join(tmpdir(), 'tenantctl-certificates-'));
  const save = async (file: string, pems: { cert: string; private: string }): Promise<CertificateFiles> => {
    const files = { cert: join(directory, `${file}.crt`), key: join(directory, `${file}.key`) };
    await writeFile(files.cert, pems.cert);
    await writeFile(files.key, pems.private, { mode: 0o600 });
    return files;
  };
  return {
    directory,
    remove: () => rm(directory, { recursive: true, force: true }),
    async authority(name, days = 30) {
      const pems = await generate([{ name: 'commonName', value: name }], {
        keyType: 'ec',
        algorithm: 'sha256',
        notBeforeDate: new Date(Date.now() - 2 * DAY_MS),
        notAfterDate: new Date(Date.now() + days * DAY_MS),
        extensions: [
          { name: 'basicConstraints', cA: true, critical: true },
          { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
        ],
      });
      const ca = { key: pems.private, cert: pems.cert };
      return {
        ...(await save(name, pems)),
        async issue(file, commonName, names = [], days = 365) {
          const issued = await generate([{ name: 'commonName', value: commonName }], {
            keyType: 'ec',
            algorithm: 'sha256',
            ca,
            notAfterDate: new Date(Date.now() + days * DAY_MS),
            extensions: [
              { name: 'basicConstraints', cA: false },
              { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
              {
                name: 'subjectAltName',
                altNames: names.map((each) =>
                  'dns' in each ? { type: 2, value: each.dns } : { type: 7, ip: each.ip },
                ),
              },
            ],
          });
          return save(file, issued);
        },
      };
    },
  };
}
