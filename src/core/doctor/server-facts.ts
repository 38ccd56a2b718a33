import { TLSSocket } from 'node:tls';
import type { PoolClient } from 'pg';
import { socketOf } from '../../db/pg-internals.ts';
import { withClient } from '../../db/transaction.ts';
import { readCapacity, type Capacity } from '../run/capacity.ts';
import { attempt, type Attempt } from './attempt.ts';
import type { Database, ServerSettings } from '../../db/database.ts';

/** What the server says about itself and this connection. */
export interface ServerFacts {
  readonly version: string;
  readonly role: string;
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
  readonly maxConnections: number;
  /** Connection limits of the database and the role (-1: none), and their connections in use. */
  readonly limitOfDatabase: number;
  readonly limitOfRole: number;
  readonly usedOfDatabase: number;
  readonly usedOfRole: number;
  /** TLS is turned on at the server. */
  readonly offersTls: boolean;
  /** pg_stat_ssl of the own backend. */
  readonly encrypted: boolean;
  /** "TLSv1.3", at this end of the connection; absent without TLS. */
  readonly protocol?: string | undefined;
  /** What the other end has shown. */
  readonly certificate?:
    | { readonly subject: string; readonly issuer: string; readonly validTo: Date }
    | undefined;
}

/** A server that is reached over the network or a socket, and what it is checked against. */
export interface ServerView extends ServerFacts {
  readonly settings: ServerSettings;
  /** The number of tenants in parallel, if somebody asked for one. */
  readonly concurrency: number | undefined;
  /** The certificate's expiry is compared with it. */
  readonly now: Date;
}

type Row = Omit<
  ServerFacts,
  'version' | 'behindPooler' | 'direct' | 'readOnly' | 'capacity' | 'protocol' | 'certificate'
>;

/**
 * Reads what the server says about itself and the connection. Call it first: each further connection counts as in use.
 */
export async function readServerFacts(database: Database): Promise<ServerFacts> {
  const capacity = await readCapacity(database);
  const sessions = database.hasSessions ? await attempt(() => database.sessions()) : undefined;
  return withClient(database, async (client) => {
    // pg_stat_ssl: https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-SSL-VIEW
    const { rows } = await client.query<Row>(
      `WITH clients AS (SELECT datid, usesysid FROM pg_stat_activity WHERE backend_type = 'client backend')
       SELECT current_user::text AS role, d.datname::text AS database,
              host(inet_server_addr()) AS address, current_setting('port')::int AS port,
              pg_is_in_recovery() AS "isStandby",
              (SELECT source FROM pg_settings WHERE name = 'default_transaction_read_only') AS "readOnlySource",
              current_setting('max_connections')::int AS "maxConnections",
              d.datconnlimit AS "limitOfDatabase", r.rolconnlimit AS "limitOfRole",
              (SELECT count(*)::int FROM clients WHERE datid = d.oid) AS "usedOfDatabase",
              (SELECT count(*)::int FROM clients WHERE usesysid = r.oid) AS "usedOfRole",
              coalesce(current_setting('ssl', true)::bool, false) AS "offersTls",
              coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS encrypted
       FROM pg_database d, pg_roles r
       WHERE d.datname = current_database() AND r.rolname = current_user`,
    );
    const [row] = rows;
    if (row === undefined) throw new Error('the server did not say who is logged in');
    return {
      ...row,
      ...tlsFacts(client),
      version: database.serverVersionText,
      behindPooler: database.behindPooler,
      direct: sessions?.facts === database ? undefined : sessions,
      readOnly: database.readOnly,
      capacity,
    };
  });
}

function tlsFacts(client: PoolClient): Pick<ServerFacts, 'protocol' | 'certificate'> {
  const socket = socketOf(client);
  if (!(socket instanceof TLSSocket)) return {};
  const protocol = socket.getProtocol() ?? 'TLS';
  const shown = socket.getPeerCertificate();
  if (shown?.valid_to === undefined) return { protocol };
  const { subject, issuer, valid_to: validTo } = shown;
  return {
    protocol,
    certificate: { subject: nameOf(subject), issuer: nameOf(issuer), validTo: new Date(validTo) },
  };
}

/** The common name, or else the organization: some certificates have no common name. */
function nameOf(name: { readonly CN?: string | string[]; readonly O?: string | string[] }): string {
  return [name.CN ?? name.O ?? 'an empty name'].flat().join(', ');
}
