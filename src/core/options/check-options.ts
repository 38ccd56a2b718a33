import { patternProblem } from '../../db/role-name.ts';
import { TenantctlError } from '../../errors.ts';
import {
  LARGE_COUNT,
  COUNT,
  described,
  describedShare,
  isShare,
  isWithin,
  MAX_PAUSE_MS,
  MILLISECONDS,
  PERCENT,
  RETRIES,
  RUN_NUMBER,
  VECTOR_EXTENSION_MODES,
  type Range,
} from '../../limits.ts';
import { INCLUDABLE } from '../../names.ts';
import { isObject, isText, rule, violation, type Rule } from '../../rule.ts';
import { undisturbed, type Observer } from '../report/event.ts';

const isTexts = (value: unknown): value is readonly string[] => Array.isArray(value) && value.every(isText);

const TEXT = rule('a string', isText);
const TEXTS = rule('an array of strings', isTexts);
const PATH = rule('the path of a file or folder', (value) => isText(value) && value !== '');
const FLAG = rule('true or false', (value) => typeof value === 'boolean');
const FUNCTION = rule('a function', (value) => typeof value === 'function');
const PAUSE = rule(
  `a number of milliseconds from 0 to ${MAX_PAUSE_MS}`,
  (value) => typeof value === 'number' && value >= 0 && value <= MAX_PAUSE_MS,
);
const OBJECT = rule('an object', isObject);
const whole = (range: Range) => rule(described(range), (value) => isWithin(value, range));
const share = (least: 0 | 1) =>
  rule(`{ count } or { percent }: ${describedShare(least)}`, (value) => isShare(value, least));
const oneOf = (...values: readonly string[]) =>
  rule(values.join(' or '), (value) => isText(value) && values.includes(value));

const all = <Name extends string>(one: Rule, ...names: readonly Name[]) =>
  Object.fromEntries(names.map((name) => [name, one])) as Record<Name, Rule>;

/** The rules for all options and arguments of core's functions. A name means the same in all of them. */
const RULES = {
  ...all(
    TEXT,
    'organizationId',
    'as',
    'name',
    'tenant',
    'to',
    'sql',
    'sqlName',
    'table',
    'nodeVersion',
    'runLabel',
    'atLeast',
    'text',
    'reference',
    'tenant',
  ),
  ...all(TEXTS, 'organizationIds', 'names', 'tenants', 'settings', 'allowOutside', 'only', 'hooksFiles'),
  ...all(
    PATH,
    'folder',
    'masterFolder',
    'tenantFolder',
    'seedFolder',
    'backupFolder',
    'repeatableFolder',
    'path',
    'directory',
    'file',
    'hooks',
    'folders.master',
    'folders.tenants',
  ),
  ...all(FLAG, 'onlyFailed', 'compile', 'recordings', 'verify', 'listAll', 'listUpToDate', 'changeNames'),
  ...all(
    FLAG,
    'readOnly',
    'asOwner',
    'revoke',
    'unfinished',
    'withSchema',
    'allowStale',
    'all',
    'master',
    'schemaOnly',
    'allowDrift',
    'allowPartial',
    'allowDrift',
    'replace',
    'again',
    'blockWrites',
  ),
  ...all(FLAG, 'allowNewerHistory', 'allowOutOfOrder', 'allowEmptyFolder'),
  ...all(FUNCTION, 'onRows', 'work', 'observe', 'confirm'),
  ...all(OBJECT, 'folders', 'environment', 'databaseNames', 'database', 'rollout'),
  ...all(
    whole(MILLISECONDS),
    'lockTimeoutMs',
    'statementTimeoutMs',
    'lockWaitMs',
    'timeoutMs',
    'rollout.maxReplicaLagMs',
  ),
  role: rule('the name of a role', (value) => isText(value) && value !== ''),
  sizes: FLAG,
  cacheMs: whole(MILLISECONDS),
  isolation: oneOf('read committed', 'repeatable read', 'serializable'),
  ...all(whole(COUNT), 'limit', 'keepRuns', 'maxWaiting', 'maxMoves'),
  runNumber: whole(RUN_NUMBER),
  retries: whole(RETRIES),
  include: rule(
    `an array of ${INCLUDABLE.join(', ')}`,
    (value) => isTexts(value) && value.every((word) => INCLUDABLE.some((status) => status === word)),
  ),
  retryFailed: rule('true or the number of a run', (value) => value === true || isWithin(value, RUN_NUMBER)),
  maxBatches: whole(LARGE_COUNT),
  rowsPerSecond: whole(LARGE_COUNT),
  resume: rule(
    "the number of a run, or 'latest'",
    (value) => value === 'latest' || isWithin(value, RUN_NUMBER),
  ),
  extent: rule(
    '{ all: true }, { to: "a migration" } or { run: a number }',
    (value) => isObject(value) && (value.all === true || isText(value.to) || isWithin(value.run, RUN_NUMBER)),
  ),
  concurrency: rule(`${described(COUNT)}, or "auto"`, (value) => value === 'auto' || isWithin(value, COUNT)),
  tenantRole: rule(
    'the name of a role or a pattern with {schema}',
    (value) => isText(value) && value !== '' && patternProblem(value) === undefined,
  ),
  vectorExtension: oneOf(...VECTOR_EXTENSION_MODES),
  signal: rule('an AbortSignal', (value) => isObject(value) && typeof value.aborted === 'boolean'),
  verb: oneOf('suspend', 'resume'),
  maskRest: oneOf('keep'),
  maskKey: TEXT,
  answer: oneOf('applied', 'retry'),
  by: oneOf('size', 'tenants'),
  threshold: whole(PERCENT),
  drain: TEXT,
  format: oneOf('ts', 'js', 'sql'),
  now: rule('a valid date', (value) => value instanceof Date && !Number.isNaN(value.getTime())),
  'rollout.canary': rule(
    `{ tenants }, { count } or { percent }: ${describedShare(1)}`,
    (value) => isShare(value, 1) || (isObject(value) && isTexts(value.tenants) && value.tenants.length > 0),
  ),
  'rollout.wave': share(1),
  ...all(PAUSE, 'rollout.pauseMs', 'batchPauseMs'),
  'rollout.check': rule('what readTenantCheck returns', (value) => isObject(value) && isText(value.query)),
  'rollout.maxCanaryFailures': share(0),
  'rollout.maxFailures': share(0),
  maxFailures: share(0),
  'rollout.onCanaryFailure': oneOf('stop', 'rollback'),
} satisfies Readonly<Record<string, Rule>>;

/** An application checks options with every call: the names are taken apart once. */
const PLACES = Object.entries<Rule>(RULES).map(([name, rule]) => ({ name, rule, keys: name.split('.') }));

/**
 * JavaScript callers bypass the types. Wraps an observer so that it cannot disturb the run.
 * @param required options that must be present
 * @throws TenantctlError USAGE, naming the option
 */
export function checkOptions<T extends object>(
  options: T,
  ...required: readonly (keyof T & keyof typeof RULES)[]
): T {
  if (!isObject(options)) throw refused('options', OBJECT, options);
  const isRequired = new Set<string>(required);
  for (const { name, rule, keys } of PLACES) {
    const value = keys.reduce<unknown>((at, key) => (isObject(at) ? at[key] : undefined), options);
    if ((value !== undefined || isRequired.has(name)) && !rule.holds(value)) throw refused(name, rule, value);
  }
  const { observe } = options as { readonly observe?: Observer };
  return observe === undefined ? options : { ...options, observe: undisturbed(observe) };
}

function refused(name: string, broken: Rule, value: unknown): TenantctlError {
  return new TenantctlError('USAGE', violation(name, broken, value));
}
