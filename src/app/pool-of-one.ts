import type { TenantClient } from './tenant-client.ts';

/** A pool whose only connection is the client of a call, for a library that takes its connections from a pool. */
export function poolOfOne(client: TenantClient) {
  const connection = { ...client, release: () => {}, on: () => {}, removeListener: () => {} };
  return { connect: () => Promise.resolve(connection), end: () => Promise.resolve(), options: {} };
}
