const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB'];

/** "812 bytes", "1.5 MB": in powers of 1,024, as PostgreSQL's pg_size_pretty */
export function bytesText(bytes: number): string {
  let [value, unit] = [bytes, 0];
  for (; value >= 1024 && unit < UNITS.length - 1; unit += 1) value /= 1024;
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}
