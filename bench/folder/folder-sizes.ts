export interface FolderSizes {
  /** How many new tenants get the whole folder. */
  readonly tenants: number;
  /** How many tenants get the last migration. */
  readonly existing: number;
  readonly rounds: number;
}
