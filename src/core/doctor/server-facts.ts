import { TLSSocket } from 'node:tls';
import type { PoolClient } from 'pg';
import { socketOf } from '../../db/pg-internals.ts';
import { withClient } from '../../db/transaction.ts';
import { readCapacity, type Capacity } from '../run/capacity.ts';
import { attempt, type Attempt } from './attempt.ts';
import type { Database, ServerSettings } from '../../db/database.ts';

export interface ServerFacts {
  readonly version: string;
  readonly role: string;
  readonly database: string;
  readonly behindPooler: boolean;
  /** The DB_DIRECT_URL connection, if set. */
  readonly direct?: Attempt<Pick<Database, 'behindPooler'>> | undefined;
  /** Null for a Unix socket. */
  readonly address: string | null;
  readonly port: number;
  readonly readOnly: boolean;
  readonly isStandby: boolean;
  /** Where default_transaction_read_only was set: pg_settings.source. */
  readonly readOnlySource: string | null;
  readonly capacity: Capacity;
  readonly maxConnections: number;
  /** Connection limits (-1: none) and connections in use, of the database and the role. */
  readonly limitOfDatabase: number;
  readonly limitOfRole: number;
  readonly usedOfDatabase: number;
  readonly usedOfRole: number;
  readonly offersTls: boolean;
  readonly encrypted: boolean;
  /** As seen by this end, for example "TLSv1.3"; absent without TLS. */
  readonly protocol?: string | undefined;
  /** The peer's certificate. */
  readonly certificate?:
    | { readonly subject: string; readonly issuer: string; readonly validTo: Date }
    | undefined;
}

export interface ServerView extends ServerFacts {
  readonly settings: ServerSettings;
  /** Tenants in parallel, if configured. */
  readonly concurrency: number | undefined;
  readonly now: Date;
}

type Row = Omit<
  ServerFacts,
  'version' | 'behindPooler' | 'direct' | 'readOnly' | 'capacity' | 'protocol' | 'certificate'
>;

/** Call it before opening other connections, which would count as in use. */
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

/** Some certificates have no common name; use the organization then. */
function nameOf(name: { readonly CN?: string | string[]; readonly O?: string | string[] }): string {
  return [name.CN ?? name.O ?? 'an empty name'].flat().join(', ');
}
