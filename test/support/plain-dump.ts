/**
 * What pg_dump says of a schema, as sorted statements, each COPY with its rows in order: it compares between schemas of
 * any name.
 */
export function statementsOf(dump: string, schema: string): string[] {
  const statements: string[] = [];
  let lines: string[] = [];
  let rows: string[] | undefined;
  for (const line of dump.split('\n')) {
    if (line === '\\.' && rows !== undefined) {
      statements.push([...lines, ...rows.toSorted()].join('\n'));
      [lines, rows] = [[], undefined];
    } else if (rows !== undefined) rows.push(line);
    else if (/^(--|SET |SELECT pg_catalog\.set_config|\\(un)?restrict)/.test(line)) continue;
    // When a column got its type, which newer servers note, and which differs for each table.
    else if (/^ALTER TABLE .* SET \(pg_attver=\d+\);$/.test(line)) continue;
    else if (line === '') {
      if (lines.length > 0) statements.push(lines.join('\n'));
      lines = [];
    } else {
      lines.push(line);
      if (/^COPY .* FROM stdin;$/.test(line)) rows = [];
    }
  }
  return statements
    .map((text) => text.replaceAll(schema, 'TENANT').replaceAll(/tenantctl_unstamp_[0-9a-f]+/g, 'UNSTAMP'))
    .filter((text) => !OF_HISTORY.test(text))
    .toSorted();
}

/** The times and numbers of Knex's rows. */
const OF_HISTORY = /^(COPY|SELECT pg_catalog\.setval\().*knex_migrations_tenant/;
