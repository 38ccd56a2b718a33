import { counted } from '../../wording.ts';
import { failed, ok, skipped, warning, type Verdict } from './check.ts';
import type { ServerView } from './server-facts.ts';

/** A certificate that expires within this many days is a warning. */
const DAYS_OF_WARNING = 30;
const DAY_MS = 86_400_000;

const TURN_ON_HERE =
  'Set DB_SSL=true and DB_SSL_CERT_PATH (ssl/README.md says where to get the certificate); in a URL: sslmode=verify-full.';
const TURN_ON_AT_SERVER = `Turn TLS on at the server: put server.crt and server.key into its data folder, then ALTER SYSTEM SET ssl = on; SELECT pg_reload_conf(); ${TURN_ON_HERE}`;

export function tls({ settings, behindPooler, offersTls, encrypted, protocol = 'TLS' }: ServerView): Verdict {
  const { ssl, host } = settings;
  if (ssl === false) {
    if (isLocal(host)) return ok(`not used; ${host} is on this machine`);
    return warning(
      `not used: everything, including the password, is sent to ${host} in plain text`,
      offersTls || behindPooler ? TURN_ON_HERE : TURN_ON_AT_SERVER,
    );
  }
  const trust = `the certificate is ${ssl.rejectUnauthorized === false ? 'not ' : ''}checked`;
  if (behindPooler)
    return ok(
      `${protocol} to the pooler, ${trust}; the connection from there to the server cannot be checked`,
    );
  if (encrypted) return ok(`${protocol}, ${trust}; pg_stat_ssl says the same`);
  return failed(
    'pg_stat_ssl says that the server receives this connection unencrypted: something in between ends TLS',
    `Correct ${settings.source ?? 'DB_HOST and DB_PORT'} to reach the server itself, not the proxy in front of it.`,
    'TLS_FAILED',
  );
}

export function certificate({ settings, behindPooler, certificate: shown, now }: ServerView): Verdict {
  if (settings.ssl === false) return skipped('the connection does not use TLS');
  if (shown === undefined) return skipped('the other end has shown none');
  const { subject, issuer, validTo } = shown;
  const days = Math.floor((validTo.getTime() - now.getTime()) / DAY_MS);
  const whose = behindPooler ? "the pooler's: " : '';
  const detail = `${whose}for ${subject}, signed by ${issuer}, valid to ${validTo.toISOString().slice(0, 10)}`;
  const renew = behindPooler
    ? 'Renew the certificate of the pooler (client_tls_cert_file in PgBouncer), then RELOAD; in its console.'
    : 'Renew the file that ssl_cert_file names at the server, then SELECT pg_reload_conf();';
  if (days < 0) return failed(`${detail}: it has expired`, renew, 'TLS_FAILED');
  return days < DAYS_OF_WARNING ? warning(`${detail}, in ${counted(days, 'day')}`, renew) : ok(detail);
}

/** A Unix socket, or the loopback interface. */
function isLocal(host: string): boolean {
  return host.startsWith('/') || host === 'localhost' || host === '::1' || /^127(?:\.\d+){3}$/.test(host);
}
