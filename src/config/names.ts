import { DEFAULT_NAMES, problemsOf, STATUSES, type Names } from '../names.ts';
import type { Problem } from './settings.ts';
import { isShowable, type Parsed } from './variables.ts';

const COLUMN_KEYS = Object.keys(DEFAULT_NAMES.columns);

/**
 * The names of the registry, its columns and statuses, and of the history tables, as the variables have them.
 * @param problems is told everything that is wrong with them
 */
export function readNames(all: Parsed, problems: Problem[]): Names {
  const found: Problem[] = [];
  const parsed = withoutSecrets(all, found);
  const pairs = (variable: 'REGISTRY_COLUMNS' | 'REGISTRY_STATUSES', keys: readonly string[]) =>
    readPairs(parsed[variable] ?? '', keys, (message) => found.push({ variable, message }));
  const columns = pairs('REGISTRY_COLUMNS', COLUMN_KEYS);
  const statuses = Object.entries(pairs('REGISTRY_STATUSES', STATUSES));
  const names: Names = {
    registry: readTable(parsed.REGISTRY_TABLE, (message) =>
      found.push({ variable: 'REGISTRY_TABLE', message }),
    ),
    columns: { ...DEFAULT_NAMES.columns, ...columns },
    statuses: {
      ...DEFAULT_NAMES.statuses,
      ...Object.fromEntries(
        statuses.map(([word, values]) => [word, values.split('|').map((value) => value.trim())]),
      ),
    },
    masterHistory: parsed.MASTER_HISTORY_TABLE ?? DEFAULT_NAMES.masterHistory,
    tenantHistory: parsed.TENANT_HISTORY_TABLE ?? DEFAULT_NAMES.tenantHistory,
    schemaPrefix: parsed.TENANT_SCHEMA_PREFIX ?? DEFAULT_NAMES.schemaPrefix,
  };
  problems.push(...found, ...problemsOf(names));
  return names;
}

type NameVariable = Extract<
  keyof Parsed,
  `REGISTRY_${string}` | `${string}_HISTORY_TABLE` | 'TENANT_SCHEMA_PREFIX'
>;

const VARIABLES: readonly NameVariable[] = [
  'REGISTRY_TABLE',
  'REGISTRY_COLUMNS',
  'REGISTRY_STATUSES',
  'MASTER_HISTORY_TABLE',
  'TENANT_HISTORY_TABLE',
  'TENANT_SCHEMA_PREFIX',
];

/** The variables without those whose value may not be shown: a URL that was pasted, say. */
function withoutSecrets(parsed: Parsed, found: Problem[]): Pick<Parsed, NameVariable> {
  return Object.fromEntries(
    VARIABLES.flatMap((variable) => {
      const text = parsed[variable];
      if (text === undefined || text.split(/[,|=]/).every((part) => isShowable(variable, part)))
        return [[variable, text]];
      found.push({ variable, message: 'does not hold names' });
      return [];
    }),
  );
}

function readTable(text: string | undefined, complain: (message: string) => void): Names['registry'] {
  if (text === undefined) return DEFAULT_NAMES.registry;
  const [schema = '', table, ...more] = text.split('.');
  if (table !== undefined && more.length === 0) return { schema, table };
  complain(`"${text}" is not a table with its schema: write schema.table, public.customers say`);
  return DEFAULT_NAMES.registry;
}

/** `key=value,key=value` */
function readPairs(
  text: string,
  keys: readonly string[],
  complain: (message: string) => void,
): Record<string, string> {
  const pairs: Record<string, string> = {};
  for (const part of text.split(',').filter((each) => each.trim() !== '')) {
    const [key = '', value, ...more] = part.split('=').map((each) => each.trim());
    if (value === undefined || more.length > 0) complain(`"${part.trim()}" is not of the form key=value`);
    else if (!keys.includes(key)) complain(`"${key}" is unknown: the keys are ${keys.join(', ')}`);
    else if (Object.hasOwn(pairs, key)) complain(`"${key}" is set twice`);
    else pairs[key] = value;
  }
  return pairs;
}
