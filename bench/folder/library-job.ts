/** What bench/rivals/library-call-per-tenant.ts is told, as JSON. */
export interface LibraryJob {
  readonly url: string;
  /** Path of the library. */
  readonly library: string;
  readonly folder: string;
  readonly master: string;
  readonly organizations: readonly string[];
}
