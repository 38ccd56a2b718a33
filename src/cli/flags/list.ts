import { InvalidArgumentError } from 'commander';

/**
 * Adds tenants' names to a list: separated by commas, or given one by one. A name that contains a
 * comma is written in double quotes.
 */
export function tenantNames(text: string, before: readonly string[] = []): string[] {
  const fields = text.match(/\s*"(?:[^"]|"")*"|[^,]+/g) ?? [];
  const names = fields.map((field) => unquoted(field.trim())).filter((name) => name !== '');
  if (names.length === 0) throw new InvalidArgumentError('Expected organization ids or schema names.');
  return [...before, ...names];
}

function unquoted(field: string): string {
  return /^".*"$/s.test(field) ? field.slice(1, -1).replaceAll('""', '"') : field;
}
