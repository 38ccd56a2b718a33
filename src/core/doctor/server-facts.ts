import { TLSSocket } from 'node:tls';
import type { PoolClient } from 'pg';
import { socketOf } from '../../db/pg-internals.ts';
import { withClient } from '../../db/transaction.ts';
import { readCapacity, type Capacity } from '../run/capacity.ts';
import { attempt, type Attempt } from './attempt.ts';
import type { Database } from '../../db/database.ts';

/** What the server says about itself and this connection. */
export interface ServerFacts {
  readonly version: string;
  readonly role: string;
  readonly isSuperuser: boolean;
  readonly database: string;
  readonly behindPooler: boolean;
  /** The connection by DB_DIRECT_URL; absent without one. */
  readonly direct?: Attempt<Pick<Database, 'behindPooler'>> | undefined;
  /** The address that the server listens on; null for a Unix socket. */
  readonly address: string | null;
  readonly port: number;
  readonly readOnly: boolean;
  readonly isStandby: boolean;
  /** Where default_transaction_read_only was set: pg_settings.source. */
  readonly readOnlySource: string | null;
  readonly capacity: Capacity;
  readonly limits: ConnectionLimits;
  /** TLS is turned on at the server. */
  readonly offersTls: boolean;
  /** pg_stat_ssl of the own backend. */
  readonly encrypted: boolean;
  /** The TLS socket at this end; absent without TLS. */
  readonly socket?: SocketFacts | undefined;
}

export interface ConnectionLimits {
  readonly maxConnections: number;
  /** Connection limits of the database and the role (-1: none), and their connections in use. */
  readonly ofDatabase: number;
  readonly ofRole: number;
  readonly usedOfDatabase: number;
  readonly usedOfRole: number;
}

export interface SocketFacts {
  /** "TLSv1.3" */
  readonly protocol: string;
  readonly certificate?: PeerCertificate | undefined;
}

/** The certificate of the other end. */
export interface PeerCertificate {
  readonly subject: string;
  readonly issuer: string;
  readonly validTo: Date;
}

interface Row {
  role: string;
  superuser: boolean;
  database: string;
  address: string | null;
  port: number;
  standby: boolean;
  read_only_source: string | null;
  max_connections: number;
  of_database: number;
  of_role: number;
  used_of_database: number;
  used_of_role: number;
  offers_tls: boolean | null;
  encrypted: boolean | null;
}

/**
 * Reads what the server says about itself and the connection. Call it first: each further connection counts as in use.
 */
export async function readServerFacts(database: Database): Promise<ServerFacts> {
  const capacity = await readCapacity(database);
  const sessions = database.hasSessions ? await attempt(() => database.sessions()) : undefined;
  return withClient(database, async (client) => {
    // pg_stat_ssl: https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-SSL-VIEW
    const { rows } = await client.query<Row>(
      `SELECT current_user::text AS role, r.rolsuper AS superuser, d.datname::text AS database,
              host(inet_server_addr()) AS address, current_setting('port')::int AS port,
              pg_is_in_recovery() AS standby,
              (SELECT source FROM pg_settings WHERE name = 'default_transaction_read_only') AS read_only_source,
              current_setting('max_connections')::int AS max_connections,
              d.datconnlimit AS of_database, r.rolconnlimit AS of_role,
              (SELECT count(*)::int FROM pg_stat_activity
               WHERE datid = d.oid AND backend_type = 'client backend') AS used_of_database,
              (SELECT count(*)::int FROM pg_stat_activity
               WHERE usesysid = r.oid AND backend_type = 'client backend') AS used_of_role,
              current_setting('ssl', true)::bool AS offers_tls,
              (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()) AS encrypted
       FROM pg_database d, pg_roles r
       WHERE d.datname = current_database() AND r.rolname = current_user`,
    );
    const [row] = rows;
    if (row === undefined) throw new Error('the server did not say who is logged in');
    return {
      version: database.serverVersionText,
      role: row.role,
      isSuperuser: row.superuser,
      database: row.database,
      behindPooler: database.behindPooler,
      direct: sessions?.facts === database ? undefined : sessions,
      address: row.address,
      port: row.port,
      readOnly: database.readOnly,
      isStandby: row.standby,
      readOnlySource: row.read_only_source,
      capacity,
      limits: {
        maxConnections: row.max_connections,
        ofDatabase: row.of_database,
        ofRole: row.of_role,
        usedOfDatabase: row.used_of_database,
        usedOfRole: row.used_of_role,
      },
      offersTls: row.offers_tls === true,
      encrypted: row.encrypted === true,
      socket: socketFacts(client),
    };
  });
}

function socketFacts(client: PoolClient): SocketFacts | undefined {
  const socket = socketOf(client);
  if (!(socket instanceof TLSSocket)) return undefined;
  const shown = socket.getPeerCertificate();
  return {
    protocol: socket.getProtocol() ?? 'TLS',
    certificate:
      shown?.valid_to === undefined
        ? undefined
        : {
            subject: nameOf(shown.subject),
            issuer: nameOf(shown.issuer),
            validTo: new Date(shown.valid_to),
          },
  };
}

/** The common name, or else the organization: some certificates have no common name. */
function nameOf(name: { readonly CN?: string | string[]; readonly O?: string | string[] }): string {
  return [name.CN ?? name.O ?? 'a name left empty'].flat().join(', ');
}
