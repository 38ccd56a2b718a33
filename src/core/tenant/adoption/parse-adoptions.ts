import type { TenantNames } from '../../../names.ts';
import { TenantctlError } from '../../../errors.ts';
import { checkOptions } from '../../options/check-options.ts';
import { assertOrganizationId } from '../../registry/schema-name.ts';
import { toTenantctlError } from '../../../errors.ts';
import { ORGANIZATION_FIELDS } from '../provision/parse-organizations.ts';
import { parseTable, type BadLine, type Table } from '../common/parse-table.ts';

const FIELDS = { schema: ['schema', 'schema_name'], organization: ORGANIZATION_FIELDS } as const;

export interface AdoptionMap {
  readonly adoptions: readonly (TenantNames & { readonly line: number })[];
  readonly bad: readonly (BadLine & TenantNames)[];
}

/**
 * Reads which organization each schema belongs to: CSV with columns `schema` and `clerk_org_id`, JSON Lines with such
 * keys, or one JSON object `{ "schema": "organization" }`. Two lines for one schema or one organization are both bad.
 * @throws TenantctlError FILE_UNUSABLE if it is none of these
 */
export function parseAdoptions(text: string): AdoptionMap {
  checkOptions({ text }, 'text');
  const { rows, bad: unreadable } = parseObject(text) ?? parseTable(text, FIELDS);
  const bad = unreadable.map((each) => ({ ...each, clerkOrgId: '', schema: '' }));
  const pairs = new Map<string, TenantNames & { readonly line: number }>();
  for (const { line, values } of rows) {
    const names = { clerkOrgId: values.organization, schema: values.schema };
    const key = JSON.stringify(names);
    const problem = problemOf(names);
    if (problem !== undefined) bad.push({ ...names, line, error: problem });
    else if (!pairs.has(key)) pairs.set(key, { ...names, line });
  }
  const all = [...pairs.values()];
  const [bySchema, byOrganization] = (['schema', 'clerkOrgId'] as const).map((name) =>
    Map.groupBy(all, (each) => each[name]),
  );
  const adoptions: (TenantNames & { readonly line: number })[] = [];
  for (const each of all) {
    const others = [...(bySchema?.get(each.schema) ?? []), ...(byOrganization?.get(each.clerkOrgId) ?? [])];
    const lines = others.filter((other) => other !== each).map(({ line }) => line);
    if (lines.length === 0) adoptions.push(each);
    else bad.push({ ...each, error: ambiguous(lines) });
  }
  return { adoptions, bad: bad.toSorted((a, b) => a.line - b.line) };
}

function problemOf({ clerkOrgId, schema }: TenantNames): TenantctlError | undefined {
  if (schema === '') return new TenantctlError('LINE_INVALID', 'This line is refused: it names no schema.');
  try {
    assertOrganizationId(clerkOrgId);
    return undefined;
  } catch (error) {
    return toTenantctlError(error);
  }
}

function ambiguous(lines: readonly number[]): TenantctlError {
  const message = `This line is refused: line ${lines.join(', ')} names the same schema or organization.`;
  return new TenantctlError('LINE_INVALID', message, {
    hint: 'A schema belongs to one organization, and an organization has one schema.',
  });
}

/** One JSON object whose keys are schemas; undefined if it is something else. */
function parseObject(text: string): Table<keyof typeof FIELDS> | undefined {
  const entries = entriesOf(text);
  const isRow = entries?.some(({ key }) => key === 'schema' || key === 'schema_name');
  if (entries === undefined || isRow === true) return undefined;
  const rows = entries.map(({ key, value, line }) => ({
    line,
    values: { schema: key, organization: value },
  }));
  return { rows, bad: [] };
}

const STRING = String.raw`"(?:[^"\\]|\\.)*"`;
/** A string, with the colon behind it if it is a key; a bracket; or another value. */
const TOKENS = new RegExp(
  String.raw`(?<text>${STRING})(?<colon>\s*:)?|(?<bracket>[{}[\]])|[^\s,"{}[\]]+`,
  'g',
);

interface Entry {
  readonly key: string;
  /** Empty if it is no string. */
  readonly value: string;
  readonly line: number;
}

/** The entries of one JSON object in their order; JSON.parse keeps only the last of a repeated key. */
function entriesOf(text: string): Entry[] | undefined {
  if (!text.trimStart().startsWith('{')) return undefined;
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  const entries: Entry[] = [];
  let depth = 0;
  let key: Pick<Entry, 'key' | 'line'> | undefined;
  for (const { index, groups = {} } of text.matchAll(TOKENS)) {
    const { text: string, colon, bracket } = groups;
    const word = string === undefined ? '' : (JSON.parse(string) as string);
    if (depth === 1 && colon !== undefined)
      key = { key: word, line: text.slice(0, index).split('\n').length };
    else if (depth === 1 && key !== undefined) {
      entries.push({ ...key, value: word });
      key = undefined;
    }
    if (bracket !== undefined) depth += '{['.includes(bracket) ? 1 : -1;
  }
  return entries;
}
