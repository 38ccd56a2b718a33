import type { Piece } from '../../db/knex/recording.ts';
import type { CodeVerdict } from '../code/verdict.ts';
import type { Migration } from '../files/load.ts';

/** What other tenants are sent; or why each runs the migration with Knex. */
export type Shown =
  | { readonly pieces: readonly Piece[] }
  | {
      readonly interactive: string;
      /** What follows needs its COMMIT. */
      readonly needsCommit: boolean;
      /** The reason is its code: see CodeVerdict. */
      readonly code?: 'fixed' | 'varying';
    };

export interface KeptRecording {
  readonly shown: Shown;
  /** What the guard allows those that are sent it. */
  readonly limits: unknown;
  /** Of the migration's file: see checksumOf. */
  readonly checksum: string;
}

/** What one or two tenants were sent by a migration. */
export interface ShownRecording extends Pick<KeptRecording, 'shown' | 'limits'> {
  /** As it was loaded. */
  readonly migration: Pick<Migration, 'file' | 'checksum'>;
  readonly verdict: CodeVerdict;
  /** What follows needs its COMMIT. */
  readonly needsCommit: boolean;
  /** The schema of a tenant that was sent it. */
  readonly witness: string;
  /** Another tenant was sent the same. */
  readonly isUsable: boolean;
  /** Whoever answers as the witness did is sent the same. */
  readonly isCertain: boolean;
}
