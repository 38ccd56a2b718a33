import * as z from 'zod';
import {
  COUNT,
  described,
  MILLISECONDS,
  parseWhole,
  RETRIES,
  VECTOR_EXTENSION_MODES,
  type Range,
} from '../limits.ts';
import { patternProblem } from '../db/role-name.ts';
import { maskSecrets } from '../secrets.ts';
import type { Problem, Variables } from './settings.ts';

const port = z
  .string()
  .regex(/^\d+$/, 'is not a number')
  .transform(Number)
  .refine((value) => value >= 1 && value <= 65_535, 'is out of range: a port is 1 to 65535');

const boolean = z
  .string()
  .transform((text) => text.trim().toLowerCase())
  .pipe(z.enum(['true', 'false', '1', '0', 'yes', 'no', 'on', 'off'], 'is neither true nor false'))
  .transform((text) => ['true', '1', 'yes', 'on'].includes(text));

function wholeNumber(range: Range) {
  return z
    .string()
    .refine((text) => parseWhole(text, range) !== undefined, `is not ${described(range)}`)
    .transform(Number);
}

const milliseconds = wholeNumber(MILLISECONDS);

const host = z
  .string()
  .refine((text) => !text.includes('://'), 'is a URL, not the name of a host: set DATABASE_URL to it instead')
  .refine(
    (text) => !text.includes('@'),
    'holds more than the name of a host: set DATABASE_URL to the whole URL',
  )
  .refine((text) => !/^[^:]+:\d+$/.test(text), 'holds a port: put that into DB_PORT')
  .refine((text) => !text.includes(','), 'names several hosts: tenantctl connects to one, the primary')
  .refine((text) => !text.startsWith('['), 'is in brackets: write an IPv6 address without them');

const path = z.string().refine((text) => !text.includes('://'), 'is a URL, not a path');

/** Refuses a pasted URL, for example. */
const names = z
  .string()
  .refine((text) => text.split(/[,|=]/).every((part) => isShowable('', part)), 'does not hold names');

const schema = z.object({
  DATABASE_URL: z.string().optional(),
  DB_DIRECT_URL: z.string().optional(),
  DB_HOST: host.optional(),
  DB_PORT: port.default(5432),
  DB_USER: z.string().optional(),
  DB_PASSWORD: z.string().optional(),
  DB_NAME: z.string().optional(),
  PGPASSWORD: z.string().optional(),
  PGPASSFILE: path.optional(),
  DB_SSL: boolean.optional(),
  DB_SSL_CERT_PATH: path.optional(),
  DB_SSL_REJECT_UNAUTHORIZED: boolean.default(true),
  DB_SSL_CLIENT_CERT_PATH: path.optional(),
  DB_SSL_CLIENT_KEY_PATH: path.optional(),
  DB_EMBEDDED: path.optional(),
  MASTER_MIGRATIONS_DIR: path.optional(),
  TENANT_MIGRATIONS_DIR: path.optional(),
  TENANT_REPEATABLE_DIR: path.optional(),
  TENANT_SEEDS_DIR: path.optional(),
  REGISTRY_TABLE: names.optional(),
  REGISTRY_COLUMNS: names.optional(),
  REGISTRY_STATUSES: names.optional(),
  MASTER_HISTORY_TABLE: names.optional(),
  TENANT_HISTORY_TABLE: names.optional(),
  TENANT_SCHEMA_PREFIX: names.optional(),
  VECTOR_EXTENSION: z.enum(VECTOR_EXTENSION_MODES, 'must be auto, require or off').default('auto'),
  CONNECT_TIMEOUT_MS: milliseconds.optional(),
  LOCK_TIMEOUT_MS: milliseconds.default(5_000),
  STATEMENT_TIMEOUT_MS: milliseconds.optional(),
  LOCK_WAIT_TIMEOUT_MS: milliseconds.default(60_000),
  TENANT_ROLE: z
    .string()
    .superRefine((pattern, context) => {
      const problem = patternProblem(pattern);
      if (problem !== undefined) context.addIssue(problem);
    })
    .optional(),
  RETRIES: wholeNumber(RETRIES).optional(),
  RUNS_KEEP: wholeNumber(COUNT).optional(),
  RECORDINGS: boolean.optional(),
  TENANT_MASK_KEY: z.string().optional(),
  TENANTCTL_RUN_LABEL: z.string().optional(),
});

export type Parsed = z.infer<typeof schema>;

export const VARIABLES: readonly string[] = Object.keys(schema.shape);

/** The message of a required variable that is not set. */
export const NOT_SET = 'is not set';

/** The variables and their problems. Other readers add problems and warnings. */
export interface ParsedVariables {
  readonly parsed: Parsed;
  /** All tenantctl variables that are set, valid or not. */
  readonly own: Readonly<Record<string, string>>;
  readonly problems: Problem[];
  readonly warnings: Problem[];
}

/** Checks each variable separately. An invalid one is a problem, and counts as set. */
export function parseVariables(variables: Variables): ParsedVariables {
  const own = Object.fromEntries(
    VARIABLES.map((name) => [name, variables[name]]).filter(([, value]) => value !== undefined),
  ) as Record<string, string>;
  const checked = schema.safeParse(own);
  // Report only the first problem of a variable.
  const issues = new Map(
    checked.error?.issues.toReversed().map((issue) => [String(issue.path[0]), issue.message]),
  );
  const wellFormed = Object.entries(own).filter(([name]) => !issues.has(name));
  return {
    parsed: schema.parse(Object.fromEntries(wellFormed)),
    own,
    problems: VARIABLES.filter((name) => issues.has(name)).map((name) => ({
      variable: name,
      message: `${quoted(name, own[name])}${issues.get(name)}`,
    })),
    warnings: [],
  };
}

/** The value, unless it is or may hold a password. */
function quoted(name: string, value: string | undefined): string {
  return value === undefined || !isShowable(name, value) ? '' : `"${value}" `;
}

const MAX_SHOWN = 300;

/** Whether a value is safe to show: unclosed quotes pull in later lines, and people paste keys for paths. */
export function isShowable(name: string, value: string): boolean {
  if (/PASSWORD|URL|MASK_KEY/.test(name) || value.length > MAX_SHOWN) return false;
  return !/[\r\n]|:\/\/|:[^/]*@|-----BEGIN/.test(value) && maskSecrets(value) === value;
}
