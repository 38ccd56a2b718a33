import type { TestProject } from 'vitest/node';
import { startCitusCluster } from './citus-cluster.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** A superuser at the coordinator of a cluster; empty if there is none. */
    citusUrl: string;
    /** Where its nodes answer, if not by the names that they have for one another. */
    citusPlaces: Readonly<Record<string, string>>;
  }
}

/** TEST_CITUS_URL if set; else containers if an engine answers; else there is no cluster. */
export default async function setUp(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const url = process.env.TEST_CITUS_URL ?? '';
  const cluster = url === '' ? await startCitusCluster() : undefined;
  project.provide('citusUrl', cluster?.url ?? url);
  project.provide('citusPlaces', cluster?.places ?? {});
  return cluster?.stop;
}
