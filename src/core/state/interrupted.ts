import { TenantctlError, type ErrorDetails, type InvalidIndex } from '../../errors.ts';
import { listedIndexes } from '../target/invalid-indexes.ts';
import type { BegunIntent } from './intents.ts';
import { resolutionHint } from './resolution-commands.ts';

type Place = Parameters<typeof resolutionHint>[0];
type Begun = Pick<BegunIntent, 'migration' | 'direction'>;

/** The outcome of a migration outside a transaction is unknown: its intent stays. */
export function unknownEnd(
  place: Place,
  begun: Begun,
  message: string,
  details: ErrorDetails,
): TenantctlError {
  const hint = [resolutionHint(place, begun), details.hint ?? []].flat().join(' ');
  const where = { tenant: place.clerkOrgId, migration: begun.migration };
  return new TenantctlError('MIGRATION_INTERRUPTED', message, { ...where, ...details, hint });
}

/** An earlier command started the migration and did not record how it ended. */
export function interrupted(
  place: Place,
  { backend = null, ...begun }: Begun & Partial<Pick<BegunIntent, 'backend'>>,
  indexes: readonly InvalidIndex[] = [],
): TenantctlError {
  const why =
    backend === null
      ? 'the command was killed, or lost its connection'
      : `the command has lost its lock, and its backend (process ${backend}) is still there`;
  const left = indexes.length === 0 ? '' : ` It left INVALID: ${listedIndexes(indexes)}.`;
  const message = `${begun.migration} started outside a transaction in ${place.schema}; its outcome is unknown: ${why}.${left}`;
  return unknownEnd(place, begun, message, indexes.length === 0 ? {} : { invalidIndexes: indexes });
}
