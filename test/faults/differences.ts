/** The lines that only one of the two has. */
export function differences(one: readonly string[], other: readonly string[]): string[] {
  const [has, wants] = [new Set(one), new Set(other)];
  return [...one.filter((line) => !wants.has(line)), ...other.filter((line) => !has.has(line))];
}
