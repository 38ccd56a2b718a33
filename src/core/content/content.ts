/** A table with rows of its own: an ordinary table or a leaf partition. */
export interface ContentTable {
  readonly name: string;
  /** Columns whose values are copied, in the table's order: generated columns are left out. */
  readonly columns: readonly string[];
}

export interface SequenceValue {
  readonly name: string;
  /** Decimal digits: it may exceed what a JavaScript number holds. */
  readonly lastValue: string;
  /** False if `lastValue` is the next one to be handed out. */
  readonly isCalled: boolean;
}

export interface MaterializedView {
  readonly name: string;
  /** False after WITH NO DATA. */
  readonly isPopulated: boolean;
}

/**
 * The data of a schema, without the rows: what a copy consists of. Knex's lock table and what belongs to an extension
 * are left out; the history table is included. JSON can hold it.
 */
export interface Content {
  /** In an order in which they can be loaded: a table after those that its foreign keys refer to, except in cycles. */
  readonly tables: readonly ContentTable[];
  /** Of identity columns and serial columns too. By name. */
  readonly sequences: readonly SequenceValue[];
  /** In an order in which they can be refreshed. */
  readonly materializedViews: readonly MaterializedView[];
}
