/**
 * The coefficients, none below 0, that make the sum of (Σ coefficient · x − y)² / y² least: relative errors count,
 * so that small fleets count as much as large ones. A coefficient that would be negative is left out (0).
 */
export function fit(xs: readonly (readonly number[])[], ys: readonly number[]): number[] {
  const known = ys.flatMap((y, at) => (y > 0 ? [(xs[at] ?? []).map((x) => x / y)] : []));
  // Columns of length 1: their sizes are of many kinds, such as 1 and a number of tenants.
  const lengths = (xs[0] ?? []).map((_, column) => Math.hypot(...known.map((row) => row[column] ?? 0)) || 1);
  const rows = known.map((row) => row.map((x, column) => x / (lengths[column] ?? 1)));
  let used = lengths.map((_, column) => column);
  for (;;) {
    const found = solve(normalEquations(rows, used));
    const least = Math.min(...found);
    if (used.length > 0 && least < 0) used = used.filter((_, at) => found[at] !== least);
    else return lengths.map((length, column) => (found[used.indexOf(column)] ?? 0) / length);
  }
}

/** One row for each column that is used, with the right side last. Each y is 1, because its row is divided by it. */
function normalEquations(rows: readonly (readonly number[])[], used: readonly number[]): number[][] {
  const product = (a: number, b: number) => sum(rows.map((row) => (row[a] ?? 0) * (row[b] ?? 0)));
  return used.map((a) => [...used.map((b) => product(a, b)), sum(rows.map((row) => row[a] ?? 0))]);
}

const NOTHING = 1e-9;

/** Gauss's elimination. A column that depends on earlier ones gets 0: there are too few different fleets. */
function solve(equations: readonly (readonly number[])[]): number[] {
  const width = equations.length;
  let rows = equations.map((row) => [...row]);
  for (let at = 0; at < width; at += 1) {
    const below = rows.slice(at).toSorted((a, b) => Math.abs(b[at] ?? 0) - Math.abs(a[at] ?? 0));
    rows = [...rows.slice(0, at), ...below];
    const pivot = rows[at] ?? [];
    if (Math.abs(pivot[at] ?? 0) < NOTHING) continue;
    rows = rows.map((row) => {
      const factor = row === pivot ? 0 : (row[at] ?? 0) / (pivot[at] ?? 1);
      return row.map((value, column) => value - factor * (pivot[column] ?? 0));
    });
  }
  return rows.map((row, at) => (Math.abs(row[at] ?? 0) < NOTHING ? 0 : (row[width] ?? 0) / (row[at] ?? 1)));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
