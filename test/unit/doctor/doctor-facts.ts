import type { ServerView } from '../../../src/core/doctor/server-facts.ts';
import type { ServerSettings } from '../../../src/db/database.ts';

/** A server on another machine, by names that need quotes. */
export const SETTINGS: ServerSettings = {
  kind: 'server',
  host: 'db.example.com',
  port: 5432,
  user: 'me "x"',
  database: 'my db',
  ssl: false,
  connectTimeoutMs: 1,
};
export const WITH_TLS: ServerSettings = { ...SETTINGS, ssl: { rejectUnauthorized: true } };

export const NOW = new Date('2026-06-01T00:00:00Z');

/** A server that is in order. */
export const SERVER: ServerView = {
  settings: SETTINGS,
  concurrency: undefined,
  now: NOW,
  version: '17.2',
  role: 'me "x"',
  database: 'my db',
  behindPooler: false,
  address: '10.0.0.5',
  port: 5432,
  readOnly: false,
  isStandby: false,
  readOnlySource: 'default',
  capacity: { usable: 97, free: 90 },
  maxConnections: 100,
  limitOfDatabase: -1,
  limitOfRole: -1,
  usedOfDatabase: 1,
  usedOfRole: 1,
  offersTls: true,
  encrypted: true,
  protocol: 'TLSv1.3',
  certificate: { subject: 'db', issuer: 'CA', validTo: new Date('2027-01-01T00:00:00Z') },
};
