import { counted } from '../../wording.ts';
import { failed, ok, skipAll, skipped, warning, type Check } from './check.ts';
import type { PeerCertificate, ServerFacts } from './server-facts.ts';
import type { DatabaseSettings, ServerSettings } from '../../db/database.ts';

/** So many days before its end a certificate causes a warning. */
const DAYS_OF_WARNING = 30;
const DAY_MS = 86_400_000;

/** The checks of TLS and the certificate. Pure. */
export function tlsChecks(settings: DatabaseSettings, server: ServerFacts, now: Date): Check[] {
  if (settings.kind === 'embedded')
    return skipAll(['tls', 'certificate'], 'does not apply to the embedded database: it is in this process');
  if (settings.ssl === false) {
    return [withoutTls(settings, server), skipped('certificate', 'the connection does not use TLS')];
  }
  return [withTls(settings, server), certificateCheck(server, now)];
}

function withoutTls(settings: ServerSettings, server: ServerFacts): Check {
  if (isLocal(settings.host)) return ok('tls', `not used; ${settings.host} is on this machine`);
  const turnOn =
    'Set DB_SSL=true and DB_SSL_CERT_PATH (ssl/README.md says where to get the certificate); in a URL: sslmode=verify-full.';
  return warning(
    'tls',
    `not used: everything, the password included, crosses the network to ${settings.host} in plain text`,
    server.offersTls || server.behindPooler
      ? turnOn
      : `Turn TLS on at the server: put server.crt and server.key into its data folder, then ALTER SYSTEM SET ssl = on; SELECT pg_reload_conf(); ${turnOn}`,
  );
}

function withTls(settings: ServerSettings, server: ServerFacts): Check {
  const protocol = server.socket?.protocol ?? 'TLS';
  const trust =
    settings.ssl !== false && settings.ssl.rejectUnauthorized === false
      ? 'the certificate is not checked'
      : 'the certificate is checked';
  if (server.behindPooler) {
    return ok(
      'tls',
      `${protocol} as far as the pooler, ${trust}; what is used from there to the server cannot be seen from here`,
    );
  }
  if (server.encrypted) return ok('tls', `${protocol}, ${trust}; pg_stat_ssl says the same`);
  return failed(
    'tls',
    'pg_stat_ssl says that the server receives this connection unencrypted: something in between ends TLS',
    'Set DB_HOST and DB_PORT to the server itself, not to the proxy before it.',
    'TLS_FAILED',
  );
}

function certificateCheck(server: ServerFacts, now: Date): Check {
  const certificate = server.socket?.certificate;
  if (certificate === undefined) return skipped('certificate', 'the other end has shown none');
  const days = Math.floor((certificate.validTo.getTime() - now.getTime()) / DAY_MS);
  const whose = server.behindPooler ? "the pooler's: " : '';
  const detail = `${whose}${describe(certificate)}`;
  const renew = server.behindPooler
    ? 'Renew the certificate of the pooler (client_tls_cert_file in PgBouncer), then RELOAD; in its console.'
    : 'Renew the file that ssl_cert_file names at the server, then SELECT pg_reload_conf();';
  if (days < 0) return failed('certificate', `${detail}: it has expired`, renew, 'TLS_FAILED');
  return days < DAYS_OF_WARNING
    ? warning('certificate', `${detail}, in ${counted(days, 'day')}`, renew)
    : ok('certificate', detail);
}

function describe({ subject, issuer, validTo }: PeerCertificate): string {
  return `for ${subject}, signed by ${issuer}, valid to ${validTo.toISOString().slice(0, 10)}`;
}

/** A Unix socket, or the loopback interface. */
function isLocal(host: string): boolean {
  return host.startsWith('/') || host === 'localhost' || host === '::1' || /^127(?:\.\d+){3}$/.test(host);
}
