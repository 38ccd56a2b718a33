/** A number for people, with three significant digits but all before the point. */
export function figure(value: number): string {
  if (Number.isInteger(value)) return thousands(value);
  const size = Math.abs(value);
  if (size >= 100) return thousands(Math.round(value));
  if (size >= 10) return value.toFixed(1);
  return value.toFixed(size >= 1 || value === 0 ? 2 : 3);
}

export function thousands(value: number): string {
  return value.toLocaleString('en-US');
}
