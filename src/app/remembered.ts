/** The schemas of ACTIVE tenants, for some time. */
export interface Remembered {
  get(org: string): string | undefined;
  set(org: string, schema: string): void;
  /** Of one organization, or of all. */
  forget(org?: string): void;
}

/** @param forMs 0 remembers nothing */
export function rememberSchemas(forMs: number): Remembered {
  const schemas = new Map<string, { readonly schema: string; readonly until: number }>();
  return {
    get(org) {
      const found = schemas.get(org);
      if (found === undefined) return undefined;
      if (performance.now() < found.until) return found.schema;
      schemas.delete(org);
      return undefined;
    },
    set(org, schema) {
      if (forMs > 0 && !schemas.has(org)) schemas.set(org, { schema, until: performance.now() + forMs });
    },
    forget(org) {
      if (org === undefined) schemas.clear();
      else schemas.delete(org);
    },
  };
}
