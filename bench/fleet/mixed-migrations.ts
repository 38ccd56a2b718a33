/** A migration in code, as real projects have them. */
export interface MixedMigration {
  readonly file: string;
  readonly text: string;
}

/**
 * How many of 100 migrations do what, counted in 639 migrations of eleven public projects (docs/performance.md).
 * One migration may do several of these; functions, views and rows are written with `raw` as well.
 */
export const MIX = {
  asksForTable: 6,
  selects: 6,
  bindsRows: 7,
  writesRows: 5,
  raw: 25,
  function: 7,
  trigger: 3,
  view: 8,
  /** Not where a table is created: two thirds of it. */
  outsideTransaction: 2.1,
} as const;
type Deed = keyof typeof MIX;

/** This many migrations in these proportions, always the same. Every third one creates a table. */
export function mixedMigrations(count: number): MixedMigration[] {
  return Array.from({ length: count }, (_, at) => {
    const number = String(at + 1).padStart(4, '0');
    return { file: `${number}_mixed.js`, text: migrationText(at) };
  });
}

/** Spreads each kind evenly, and different kinds over different migrations. */
function does(deed: Deed, at: number): boolean {
  const share = MIX[deed] / 100;
  const start = Object.keys(MIX).indexOf(deed) / Object.keys(MIX).length;
  return Math.floor((at + 1) * share + start) > Math.floor(at * share + start);
}

function migrationText(at: number): string {
  // The latest table and the one before it.
  const table = `mixed_${Math.floor(at / 3)}`;
  const parent = at < 3 ? undefined : `mixed_${Math.floor(at / 3) - 1}`;
  if (does('outsideTransaction', at) && at % 3 !== 0)
    return file(
      [sql(`CREATE INDEX CONCURRENTLY ${table}_later_${at} ON ${table} (name, amount)`)],
      'exports.config = { transaction: false };\n',
    );
  const first = at % 3 === 0 ? createTable(table, parent) : alterTable(table, at);
  const deeds: Record<Exclude<Deed, 'outsideTransaction' | 'raw'>, () => string[]> = {
    asksForTable: () => [
      `  if (!(await knex.schema.hasTable('${table}'))) throw new Error('${table} is missing');\n`,
    ],
    selects: () => [
      `  const rows = await knex.raw('SELECT id, name FROM ${table} WHERE amount > 0 ORDER BY id');\n` +
        `  for (const row of rows.rows) await knex.raw("UPDATE ${table} SET name = '" + row.id + "' WHERE id = " + row.id);\n`,
    ],
    bindsRows: () => [
      `  await knex('${table}').insert([{ name: "first's ${at}", amount: ${at} }, { name: 'second', amount: null }]);\n`,
    ],
    writesRows: () => [
      sql(`INSERT INTO ${table} (name, amount) SELECT 'row ' || n, n FROM generate_series(1, 5) AS n`),
    ],
    function: () => [
      sql(
        `CREATE FUNCTION mixed_touch_${at}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at := now(); RETURN NEW; END $$`,
      ),
    ],
    trigger: () => [
      sql(
        `CREATE FUNCTION mixed_check_${at}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$`,
      ),
      sql(
        `CREATE TRIGGER ${table}_check_${at} BEFORE UPDATE ON ${table} FOR EACH ROW EXECUTE FUNCTION mixed_check_${at}()`,
      ),
    ],
    view: () => [sql(`CREATE VIEW mixed_view_${at} AS SELECT id, name, amount * 2 AS twice FROM ${table}`)],
  };
  const chosen = Object.entries(deeds).flatMap(([deed, steps]) => (does(deed as Deed, at) ? steps() : []));
  return file([first, ...chosen]);
}

function createTable(table: string, parent: string | undefined): string {
  const reference =
    parent === undefined
      ? ''
      : `    table.integer('parent_id').references('id').inTable('${parent}').onDelete('CASCADE');\n`;
  return `  await knex.schema.createTable('${table}', (table) => {
    table.increments('id');
    table.string('name').notNullable();
    table.integer('amount');
    table.jsonb('data').defaultTo('{}');
    table.boolean('is_active').notNullable().defaultTo(true);
    table.timestamp('updated_at').defaultTo(knex.fn.now());
${reference}    table.index(['name', 'amount']);
  });
`;
}

function alterTable(table: string, at: number): string {
  if (does('raw', at))
    return sql(
      `ALTER TABLE ${table} ADD COLUMN note_${at} text; CREATE INDEX ${table}_note_${at} ON ${table} (note_${at})`,
    );
  return `  await knex.schema.alterTable('${table}', (table) => {
    table.string('extra_${at}');
    table.integer('count_${at}').notNullable().defaultTo(0);
    table.index(['extra_${at}']);
  });
`;
}

function sql(text: string): string {
  return `  await knex.raw(${JSON.stringify(text)});\n`;
}

function file(steps: readonly string[], config = ''): string {
  return `exports.up = async (knex) => {\n${steps.join('')}};\nexports.down = () => Promise.resolve();\n${config}`;
}
