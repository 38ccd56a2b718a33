/** A builder or a raw text of Knex. */
export interface Built {
  /** Of a query: insert, update, del, truncate, or a kind of select. */
  readonly _method?: string;
  /** Of the schema builder: the calls so far. */
  readonly _sequence?: readonly unknown[];
  /** Of a raw text. */
  readonly sql?: string;
  toSQL?(...args: unknown[]): unknown;
  clone?(): unknown;
  toString(): string;
}

const CHANGES_ROWS = new Set(['insert', 'update', 'del', 'truncate']);

/** A statement that may change something, by its first word; a SELECT does so only by a function. */
const IS_STATEMENT =
  /^(?:\s|--.*\n)*(?:(?:alter|analyze|call|comment|copy|create|delete|do|drop|execute|grant|insert|lock|merge|reassign|refresh|reindex|revoke|set|truncate|update|vacuum|with)\s|select\s+[\w.]+\s*\()/i;

/**
 * Finds statements that a migration builds and never sends. Knex compiles a builder when it sends it (when it is
 * awaited or returned), or when it is part of another one.
 */
export class UnsentStatements {
  readonly #built = new Set<Built>();

  /** @param uses a method whose call counts as compiling it */
  built(one: Built, uses?: 'toSQL' | 'clone'): Built {
    this.#built.add(one);
    const use = uses === undefined ? undefined : one[uses]?.bind(one);
    if (uses === undefined || use === undefined) return one;
    one[uses] = (...args) => {
      this.compiled(one);
      return use(...args);
    };
    return one;
  }

  compiled(one: Built): void {
    this.#built.delete(one);
  }

  /** The text of the first one. A SELECT that Knex has built does not count: nothing is lost. */
  first(): string | undefined {
    const one = [...this.#built].find(
      ({ _method = '', _sequence = [], sql = '' }) =>
        CHANGES_ROWS.has(_method) || _sequence.length > 0 || IS_STATEMENT.test(sql),
    );
    if (one === undefined) return undefined;
    try {
      return one.toString();
    } catch {
      return one._method ?? 'a change of the schema';
    }
  }
}
