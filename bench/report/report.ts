import type { PartName } from '../settings.ts';
import type { Finding } from './finding.ts';
import type { Measurement } from './measurement.ts';

/** What one part of the benchmark found. */
export interface PartResult {
  readonly measurements: readonly Measurement[];
  readonly findings: readonly Finding[];
  /** What has to be said about them, a sentence each. */
  readonly notes: readonly string[];
}

/** When and on what a part was run. */
export interface Circumstances {
  /** YYYY-MM-DD, UTC. */
  readonly date: string;
  readonly cores: number;
  readonly platform: string;
  readonly node: string;
  readonly server: string;
  /** Null where no psql is on the PATH. */
  readonly psql: string | null;
  readonly rounds: number;
}

/** Everything that is known: what this run measured, and with --keep what earlier ones did. */
export interface Report {
  readonly parts: Readonly<Partial<Record<PartName, PartResult & { readonly circumstances: Circumstances }>>>;
}
