import { InvalidArgumentError, Option, type Command } from 'commander';
import type { RolloutOptions, Share } from '../../core/rollout/options.ts';
import { TenantctlError } from '../../errors.ts';
import { describedShare, isShare, MAX_PAUSE_MS } from '../../limits.ts';
import { tenantNames } from './list.ts';
import { milliseconds } from './numbers.ts';

export interface RolloutFlags {
  readonly canary?: NonNullable<RolloutOptions['canary']>;
  readonly wave?: Share;
  /** Seconds. */
  readonly pause?: number;
  readonly check?: string;
  readonly maxCanaryFailures?: Share;
  readonly maxFailures?: Share;
  readonly onCanaryFailure?: 'stop' | 'rollback';
  readonly maxReplicaLag?: number;
}

export function addRollout(command: Command): Command {
  const onCanaryFailure = new Option(
    '--on-canary-failure <stop|rollback>',
    'rollback: undo exactly what this run applied (default: stop)',
  );
  return addStages(command).addOption(onCanaryFailure.choices(['stop', 'rollback']));
}

/** Adds the flags of a rollout whose work cannot be undone. */
export function addStages(command: Command): Command {
  return command
    .option('--canary <n|n%|org...>', 'begin with these tenants; stop if one of them fails', canary)
    .option('--max-canary-failures <n|n%>', 'this many canaries may fail (default: 0)', failures)
    .option('--wave <n|n%>', 'serve the others in waves of this size (default: one wave)', wave)
    .option('--pause <seconds>', 'wait this long before each wave', seconds)
    .option(
      '--check <file.sql>',
      'after each wave run this query in its tenants; it must return true or no rows',
    )
    .option(
      '--max-failures <n|n%>',
      'stop after more than this many tenants have failed (default: no limit)',
      failures,
    )
    .option(
      '--max-replica-lag <ms>',
      'start no tenant while a standby is further behind than this',
      milliseconds,
    );
}

export function maxFailures(): Option {
  return new Option(
    '--max-failures <n|n%>',
    'stop after more than this many tenants have failed (default: no limit)',
  ).argParser(failures);
}

/** The rollout's options; undefined without its flags. @throws TenantctlError USAGE, CHECK_INVALID */
export async function rolloutOf(flags: RolloutFlags): Promise<RolloutOptions | undefined> {
  const { canary, wave, pause, check, maxCanaryFailures, maxFailures, onCanaryFailure, maxReplicaLag } =
    flags;
  if (pause !== undefined && canary === undefined && wave === undefined)
    throw missing('--pause waits between canaries and waves', '--canary or --wave');
  if (onCanaryFailure !== undefined && canary === undefined)
    throw missing('--on-canary-failure says what to do if a canary fails', '--canary');
  if (maxCanaryFailures !== undefined && canary === undefined)
    throw missing('--max-canary-failures counts canaries', '--canary');
  const given = [canary, wave, check, maxFailures, maxReplicaLag].some((flag) => flag !== undefined);
  if (!given) return undefined;
  const { readTenantCheck } = await import('../run/core.ts');
  return {
    canary,
    wave,
    pauseMs: pause === undefined ? undefined : pause * 1000,
    check: check === undefined ? undefined : await readTenantCheck(check),
    maxCanaryFailures,
    maxFailures,
    onCanaryFailure,
    maxReplicaLagMs: maxReplicaLag,
  };
}

function missing(what: string, flag: string): TenantctlError {
  return new TenantctlError('USAGE', `${what}, and there are none.`, { hint: `Add ${flag}.` });
}

type Canary = NonNullable<RolloutOptions['canary']>;

function canary(text: string, before: Canary | undefined): Canary {
  const isShare = /^[\d.]+%?$/.test(text);
  const named = before === undefined ? [] : 'tenants' in before ? before.tenants : undefined;
  if (named === undefined || (isShare && named.length > 0)) throw new InvalidArgumentError(ONE_KIND);
  return isShare ? wave(text) : { tenants: tenantNames(text, named) };
}

const ONE_KIND = 'Expected one number or percentage, or organization ids or schema names.';

const wave = (text: string) => share(text, 1);
const failures = (text: string) => share(text, 0);

function share(text: string, least: 0 | 1): Share {
  const [, number = '', sign] = /^(\d{1,9}(?:\.\d{1,9})?)(%?)$/.exec(text) ?? [];
  const value = sign === '%' ? { percent: Number(number) } : { count: Number(number) };
  if (number === '' || !isShare(value, least))
    throw new InvalidArgumentError(`Expected ${describedShare(least)}.`);
  return value;
}

export function seconds(text: string): number {
  const most = MAX_PAUSE_MS / 1_000;
  if (!/^\d{1,6}(?:\.\d{1,3})?$/.test(text) || Number(text) > most)
    throw new InvalidArgumentError(`Expected a number of seconds from 0 to ${most}, a week.`);
  return Number(text);
}
