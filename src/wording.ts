/** "a, b, c and 4 more" */
export function listed(names: readonly string[], most = 5): string {
  // A line break in a name would begin a line that looks like the program's own.
  const shown = names.slice(0, most).join(', ').replaceAll('\n', '\\n');
  return names.length > most ? `${shown} and ${names.length - most} more` : shown;
}

/** "1 tenant", "2 tenants"; with a verb "1 tenant is", "2 tenants are" */
export function counted(number: number, noun: string, verb?: string): string {
  const subject = `${number} ${noun}${number === 1 ? '' : 's'}`;
  return verb === undefined ? subject : `${subject} ${conjugated(verb, number)}`;
}

/** "7 tenants (a, b, c, d, e and 2 more)" */
export function namedTenants(names: readonly string[], most?: number): string {
  return `${counted(names.length, 'tenant')} (${listed(names, most)})`;
}

/** "3 migrated, 1 failed": the numbers that are not 0 */
export function sumOf(parts: readonly (readonly [number: number, words: string])[]): string {
  return parts
    .filter(([number]) => number > 0)
    .map(([number, words]) => `${number} ${words}`)
    .join(', ');
}

/** A verb's form for a number: "is" and "are", "was" and "were", "sorts" and "sort" */
export function conjugated(verb: string, number: number): string {
  if (number === 1) return verb;
  return { is: 'are', was: 'were', has: 'have' }[verb] ?? verb.replace(/s$/, '');
}

/** A word for a POSIX shell, quoted if necessary. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The option that selects these tenants, for a POSIX shell: a name with a comma or a quote is quoted for the list, too. */
export function tenantOption(names: readonly string[]): string {
  if (names.every((name) => /^[^\s",-][^\s",]*$/u.test(name)))
    return `--tenant ${names.map(shellWord).join(' ')}`;
  return names.map((name) => `--tenant=${shellWord(`"${name.replaceAll('"', '""')}"`)}`).join(' ');
}

/** A tenant's name in a list that a command takes: with a comma, it is in double quotes. For a POSIX shell. */
export function tenantWord(name: string): string {
  return shellWord(/^"|,|^\s|\s$/.test(name) ? `"${name.replaceAll('"', '""')}"` : name);
}

/** "350 ms", "4.2 s", "3 min 5 s" */
export function duration(milliseconds: number): string {
  if (milliseconds < 1_000) return `${Math.round(milliseconds)} ms`;
  const seconds = Math.round(milliseconds / 1_000);
  if (seconds < 60) return `${(milliseconds / 1_000).toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** "2026-11-29 18:55:53", in UTC */
export function secondOf(time: Date): string {
  return time.toISOString().slice(0, 19).replace('T', ' ');
}

/** "2026-11-29 18:55", in UTC */
export function minuteOf(time: Date): string {
  return secondOf(time).slice(0, 16);
}
