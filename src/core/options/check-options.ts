import { patternProblem } from '../../db/role-name.ts';
import { TenantctlError } from '../../errors.ts';
import {
  COUNT,
  described,
  describedShare,
  isShare,
  isWithin,
  MAX_PAUSE_MS,
  MILLISECONDS,
  RETRIES,
  RUN_NUMBER,
  VECTOR_EXTENSION_MODES,
  type Range,
} from '../../limits.ts';
import { undisturbed, type Observer } from '../report/event.ts';

/** What a value must be. */
interface Rule {
  readonly must: string;
  readonly holds: (value: unknown) => boolean;
}

/** The rules of options, by name. */
interface Table {
  readonly [name: string]: Rule | Table;
}

const isText = (value: unknown): value is string => typeof value === 'string';
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;
const isTexts = (value: unknown): value is readonly string[] => Array.isArray(value) && value.every(isText);
const isNonEmpty = (value: unknown): boolean => isTexts(value) && value.length > 0;

const TEXT: Rule = { must: 'be a string', holds: isText };
const PATH: Rule = {
  must: 'be the path of a file or folder',
  holds: (value) => isText(value) && value !== '',
};
const TEXTS: Rule = { must: 'be an array of strings', holds: isTexts };
const TENANTS: Rule = {
  must: 'be an array of at least one organization id or schema name',
  holds: isNonEmpty,
};
const FLAG: Rule = { must: 'be true or false', holds: (value) => typeof value === 'boolean' };
const OBJECT: Rule = { must: 'be an object', holds: isObject };
const whole = (range: Range): Rule => ({
  must: `be ${described(range)}`,
  holds: (value) => isWithin(value, range),
});
const oneOf = (...values: readonly unknown[]): Rule => ({
  must: `be ${values.map((value) => JSON.stringify(value)).join(' or ')}`,
  holds: (value) => values.includes(value),
});
const share = (least: 0 | 1): Rule => ({
  must: `be { count } or { percent }: ${describedShare(least)}`,
  holds: (value) => isShare(value, least),
});

/** What each option and argument of core's functions may be. A name means the same in all of them. */
const RULES = {
  organizationId: TEXT,
  organizationIds: TEXTS,
  names: TEXTS,
  name: TEXT,
  tenant: TEXT,
  tenants: TENANTS,
  retryFailed: {
    must: 'be true or the number of a run',
    holds: (value) => value === true || isWithin(value, RUN_NUMBER),
  },
  folder: PATH,
  masterFolder: PATH,
  tenantFolder: PATH,
  path: PATH,
  folders: { master: PATH, tenants: PATH, masterIsNamed: FLAG, tenantsIsNamed: FLAG },
  to: TEXT,
  extent: {
    must: 'be { all: true }, { to: "a migration" } or { run: a number }',
    holds: (value) =>
      isObject(value) && (value.all === true || isText(value.to) || isWithin(value.run, RUN_NUMBER)),
  },
  runNumber: whole(RUN_NUMBER),
  limit: whole(COUNT),
  onlyFailed: FLAG,
  concurrency: {
    must: `be ${described(COUNT)}, or "auto"`,
    holds: (value) => value === 'auto' || isWithin(value, COUNT),
  },
  compile: FLAG,
  verify: FLAG,
  listAll: FLAG,
  listUpToDate: FLAG,
  allowNewerHistory: FLAG,
  allowOutOfOrder: FLAG,
  lockTimeoutMs: whole(MILLISECONDS),
  statementTimeoutMs: whole(MILLISECONDS),
  lockWaitMs: whole(MILLISECONDS),
  retries: whole(RETRIES),
  keepRuns: whole(COUNT),
  tenantRole: {
    must: 'be the name of a role or a pattern with {schema}',
    holds: (value) => isText(value) && value !== '' && patternProblem(value) === undefined,
  },
  vectorExtension: oneOf(...VECTOR_EXTENSION_MODES),
  signal: {
    must: 'be an AbortSignal',
    holds: (value) => isObject(value) && typeof value.aborted === 'boolean',
  },
  observe: { must: 'be a function', holds: (value) => typeof value === 'function' },
  answer: oneOf('applied', 'retry'),
  format: oneOf('ts', 'js', 'sql'),
  now: { must: 'be a valid date', holds: (value) => value instanceof Date && !Number.isNaN(value.getTime()) },
  nodeVersion: TEXT,
  environment: OBJECT,
  database: OBJECT,
  rollout: {
    canary: {
      must: `be { tenants }, { count } or { percent }: ${describedShare(1)}`,
      holds: (value) => isShare(value, 1) || (isObject(value) && isNonEmpty(value.tenants)),
    },
    wave: share(1),
    pauseMs: {
      must: `be a number of milliseconds from 0 to ${MAX_PAUSE_MS}`,
      holds: (value) => typeof value === 'number' && value >= 0 && value <= MAX_PAUSE_MS,
    },
    check: {
      must: 'be what readTenantCheck returns',
      holds: (value) => isObject(value) && isText(value.query),
    },
    maxFailures: share(0),
    onCanaryFailure: oneOf('stop', 'rollback'),
    maxReplicaLagMs: whole(MILLISECONDS),
  },
} satisfies Table;

/**
 * Checks the options of a public function, before it does anything: TypeScript's types do not bind a caller in
 * JavaScript. An observer is replaced by one that cannot disturb the run.
 * @param required options that must be there
 * @throws TenantctlError USAGE, naming the option
 */
export function checkOptions<T extends object>(options: T, ...required: readonly (keyof T & string)[]): T {
  if (!isObject(options)) throw refused('options', OBJECT, options);
  for (const name of required) checkOne(name, options[name], RULES, '');
  checkAll(options, RULES, '');
  const { observe } = options as { readonly observe?: Observer };
  return observe === undefined ? options : { ...options, observe: undisturbed(observe) };
}

/**
 * Checks arguments that are no options, by name.
 * @throws TenantctlError USAGE, naming the argument
 */
export function checkArguments(given: { readonly [name in keyof typeof RULES]?: unknown }): void {
  for (const name of Object.keys(given))
    checkOne(name, (given as Readonly<Record<string, unknown>>)[name], RULES, '');
}

function checkAll(given: Readonly<Record<string, unknown>>, table: Table, path: string): void {
  for (const name of Object.keys(table)) {
    if (given[name] !== undefined) checkOne(name, given[name], table, path);
  }
}

function checkOne(name: string, value: unknown, table: Table, path: string): void {
  const rule = table[name];
  if (isRule(rule)) {
    if (!rule.holds(value)) throw refused(`${path}${name}`, rule, value);
  } else if (rule !== undefined) {
    if (!isObject(value)) throw refused(`${path}${name}`, OBJECT, value);
    checkAll(value, rule, `${path}${name}.`);
  }
}

function isRule(rule: Rule | Table | undefined): rule is Rule {
  return typeof rule?.holds === 'function';
}

/** Names what was given by its type: a text may be a secret that was passed in the wrong place. */
function refused(name: string, { must }: Rule, value: unknown): TenantctlError {
  const isShown = value === undefined || value === null || typeof value === 'number';
  const shown = Array.isArray(value) ? 'another array' : isShown ? String(value) : `a ${typeof value}`;
  return new TenantctlError('USAGE', `${name} must ${must}. It is ${shown}.`);
}
