import { DEFAULT_NAMES, problemsOf, STATUSES, type Names } from '../names.ts';
import type { ParsedVariables } from './variables.ts';

/** Reads the names of registry, columns, statuses and history tables; adds to the problems. */
export function readNames({ parsed, problems }: ParsedVariables): Names {
  const report = (variable: string) => (message: string) => void problems.push({ variable, message });
  const pairs = (variable: 'REGISTRY_COLUMNS' | 'REGISTRY_STATUSES', keys: readonly string[]) =>
    readPairs(parsed[variable] ?? '', keys, report(variable));
  const statuses = Object.entries(pairs('REGISTRY_STATUSES', STATUSES)).map(
    ([word, values]) => [word, values.split('|').map((value) => value.trim())] as const,
  );
  const names: Names = {
    registry: readTable(parsed.REGISTRY_TABLE, report('REGISTRY_TABLE')),
    columns: {
      ...DEFAULT_NAMES.columns,
      ...pairs('REGISTRY_COLUMNS', Object.keys(DEFAULT_NAMES.columns)),
    },
    statuses: { ...DEFAULT_NAMES.statuses, ...Object.fromEntries(statuses) },
    masterHistory: parsed.MASTER_HISTORY_TABLE ?? DEFAULT_NAMES.masterHistory,
    tenantHistory: parsed.TENANT_HISTORY_TABLE ?? DEFAULT_NAMES.tenantHistory,
    schemaPrefix: parsed.TENANT_SCHEMA_PREFIX ?? DEFAULT_NAMES.schemaPrefix,
  };
  problems.push(...problemsOf(names));
  return names;
}

function readTable(text: string | undefined, complain: (message: string) => void): Names['registry'] {
  if (text === undefined) return DEFAULT_NAMES.registry;
  const [schema = '', table, ...more] = text.split('.');
  if (table !== undefined && more.length === 0) return { schema, table };
  complain(`"${text}" is not a table with its schema: write schema.table, for example public.customers`);
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
