import { TenantctlError } from '../errors.ts';
import { COUNT, described, isWithin, MILLISECONDS, type Range } from '../limits.ts';
import { DEFAULT_NAMES, problemsOf } from '../names.ts';
import { isObject, isText, rule, violation, type Rule } from '../rule.ts';
import type { DatabaseSettings, PoolOptions } from './database.ts';

const whole = (range: Range) => rule(described(range), (value) => isWithin(value, range));
const optional = ({ must, holds }: Rule) => rule(must, (value) => value === undefined || holds(value));

const TEXT = rule('a string that is not empty', (value) => isText(value) && value !== '');
const OBJECT = rule('an object', isObject);
const TIME = whole(MILLISECONDS);

const ADDRESS: Readonly<Record<string, Rule>> = {
  host: TEXT,
  port: whole({ least: 1, most: 65_535 }),
  user: TEXT,
  password: optional(
    rule('a string, or a function that returns one', (value) => isText(value) || typeof value === 'function'),
  ),
  database: TEXT,
  ssl: rule('false, or an object with the options of TLS', (value) => value === false || isObject(value)),
  connectTimeoutMs: TIME,
};

const SETTINGS: Readonly<Record<DatabaseSettings['kind'], Readonly<Record<string, Rule>>>> = {
  server: { ...ADDRESS, direct: optional(OBJECT) },
  embedded: { directory: TEXT, lockWaitMs: TIME },
};

const OPTIONS: Readonly<Record<string, Rule>> = {
  maxConnections: whole(COUNT),
  waitTimeoutMs: optional(whole({ ...MILLISECONDS, least: 1 })),
  names: optional(rule('like DEFAULT_NAMES', (value) => hasFormOf(DEFAULT_NAMES, value))),
};

/** Without the key `directory`, an embedded database is in memory. If it is undefined, something is missing. */
function rulesFor(settings: DatabaseSettings): Readonly<Record<string, Rule>> {
  const { directory, ...others } = SETTINGS[settings.kind];
  return directory === undefined || !('directory' in settings) ? { ...others } : { directory, ...others };
}

/**
 * JavaScript callers bypass the types.
 * @throws TenantctlError USAGE, naming each setting of a wrong type; CONFIG_INVALID for unusable names
 */
export function checkSettings(settings: DatabaseSettings, options: PoolOptions): void {
  const kind: unknown = isObject(settings) ? settings.kind : undefined;
  const direct = isObject(settings) && 'direct' in settings ? settings.direct : undefined;
  const problems = [
    ...(kind === 'server' || kind === 'embedded'
      ? violations('', rulesFor(settings), settings)
      : [
          violation(
            'kind',
            rule("'server' or 'embedded'", () => false),
            kind,
          ),
        ]),
    ...(isObject(direct) ? violations('direct.', ADDRESS, direct) : []),
    ...violations('', OPTIONS, options),
  ];
  if (problems.length > 0) throw new TenantctlError('USAGE', problems.join(' '));
  const unusable = problemsOf(options.names ?? DEFAULT_NAMES);
  if (unusable.length === 0) return;
  throw new TenantctlError(
    'CONFIG_INVALID',
    'The names of the registry or of the history tables are not usable.',
    { details: unusable.map(({ variable, message }) => `${variable}: ${message}`) },
  );
}

function violations(prefix: string, rules: Readonly<Record<string, Rule>>, given: unknown): string[] {
  const values = isObject(given) ? given : {};
  return Object.entries(rules)
    .filter(([name, { holds }]) => !holds(values[name]))
    .map(([name, broken]) => violation(`${prefix}${name}`, broken, values[name]));
}

/** Whether a value has the keys of the model, with values of the same types. */
function hasFormOf(model: unknown, value: unknown): boolean {
  if (Array.isArray(model)) return Array.isArray(value) && value.every(isText);
  if (!isObject(model)) return isText(value);
  return isObject(value) && Object.keys(model).every((key) => hasFormOf(model[key], value[key]));
}
