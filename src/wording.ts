/** "a, b, c and 4 more" */
export function listed(names: readonly string[], most = 5): string {
  const shown = names.slice(0, most).join(', ');
  return names.length > most ? `${shown} and ${names.length - most} more` : shown;
}

/** "1 tenant", "2 tenants"; with a verb "1 tenant is", "2 tenants are" */
export function counted(number: number, noun: string, verb?: string): string {
  const subject = `${number} ${noun}${number === 1 ? '' : 's'}`;
  return verb === undefined ? subject : `${subject} ${conjugated(verb, number)}`;
}

/** A verb as it stands after one thing, for any number of them: "is" and "are", "was" and "were", "sorts" and "sort" */
export function conjugated(verb: string, number: number): string {
  if (number === 1) return verb;
  return { is: 'are', was: 'were' }[verb] ?? verb.replace(/s$/, '');
}

/** A word for a POSIX shell: quoted where it holds anything but what no shell touches. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
