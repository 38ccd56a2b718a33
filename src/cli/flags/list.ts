import { InvalidArgumentError } from 'commander';

/** Adds tenants' names to a list. */
export function tenantNames(text: string, before: readonly string[] = []): string[] {
  return addNames('organization ids or schema names', text, before);
}

/** Adds the names of seeds to a list. */
export function seedNames(text: string, before: readonly string[] = []): string[] {
  return addNames('the names of seeds', text, before);
}

/** They are separated by commas, or given one by one. A name that contains a comma is written in double quotes. */
function addNames(what: string, text: string, before: readonly string[]): string[] {
  const fields = text.match(/\s*"(?:[^"]|"")*"|[^,]+/g) ?? [];
  const names = fields.map((field) => unquoted(field.trim())).filter((name) => name !== '');
  if (names.length === 0) throw new InvalidArgumentError(`Expected ${what}.`);
  return [...before, ...names];
}

function unquoted(field: string): string {
  return /^".*"$/s.test(field) ? field.slice(1, -1).replaceAll('""', '"') : field;
}
