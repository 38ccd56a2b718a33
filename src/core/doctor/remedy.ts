/** A remedy handles so many at once, and says that the doctor names the rest. */
export const HANDLED = 20;

const NAMED = 5;

/** "a, b, c and 4 more" */
export function listed(names: readonly string[]): string {
  const shown = names.slice(0, NAMED).join(', ');
  return names.length > NAMED ? `${shown} and ${names.length - NAMED} more` : shown;
}

/** "1 tenant", "2 tenants" */
export function counted(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** What a remedy leaves over, as a sentence; empty where it handles all. */
export function leftOver(total: number): string {
  return total > HANDLED
    ? ` Then run tenantctl doctor again: it names the ${total - HANDLED} that are left.`
    : '';
}

/** The same as an SQL comment. */
export function leftOverComment(total: number): string {
  return total > HANDLED ? ` -- then run tenantctl doctor again: ${total - HANDLED} are left` : '';
}

/** A word for a POSIX shell: quoted where it holds anything but what no shell touches. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The command that provisions these organizations; `--` keeps an id that begins with a dash from being an option. */
export function provisionCommand(organizationIds: readonly string[]): string {
  const words = organizationIds.slice(0, HANDLED).map(shellWord);
  const guard = organizationIds.some((id) => id.startsWith('-')) ? '-- ' : '';
  return `tenantctl tenant provision ${guard}${words.join(' ')}`;
}
