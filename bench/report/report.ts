import type { PartName } from '../settings.ts';
import type { Finding } from './finding.ts';
import type { Measurement } from './measurement.ts';

export interface PartResult {
  readonly measurements: readonly Measurement[];
  readonly findings: readonly Finding[];
  readonly notes: readonly string[];
}

export interface Circumstances {
  /** YYYY-MM-DD, UTC. */
  readonly date: string;
  readonly cores: number;
  readonly platform: string;
  readonly node: string;
  readonly server: string;
  /** Null if psql is not on the PATH. */
  readonly psql: string | null;
  readonly rounds: number;
}

/** All results: of this run, and with --keep of earlier ones. */
export interface Report {
  readonly parts: Readonly<Partial<Record<PartName, PartResult & { readonly circumstances: Circumstances }>>>;
  /** Rows of the table of folders, by title: see folderRow. */
  readonly folders?: Readonly<Record<string, readonly string[]>>;
}
