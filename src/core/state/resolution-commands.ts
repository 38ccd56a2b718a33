import type { InvalidIndex } from '../../errors.ts';
import { shellWord } from '../../wording.ts';
import type { Intent } from './intents.ts';

interface Place {
  readonly clerkOrgId?: string | undefined;
  readonly schema: string;
}

/** The argument of `tenantctl resolve` for the master schema. */
export const MASTER_NAME = 'master';

/** The commands for both outcomes of an interrupted migration. */
export interface ResolutionCommands {
  readonly applied: string;
  readonly retry: string;
}

/** Commands for a shell that resolve the interrupted migration of a schema. */
export function resolutionCommands({ clerkOrgId, schema }: Place): ResolutionCommands {
  // Use the schema name if the command would misread the organization id.
  const isMistakable = clerkOrgId === MASTER_NAME || clerkOrgId?.startsWith('-') === true;
  const ownName = schema === 'public' ? MASTER_NAME : schema;
  const name = clerkOrgId === undefined || isMistakable ? ownName : clerkOrgId;
  const command = `tenantctl resolve ${shellWord(name)}`;
  return { applied: `${command} --applied`, retry: `${command} --retry` };
}

/** Only the schema shows whether the migration was done, so the hint has the commands for both outcomes. */
export function resolutionHint(
  place: Place,
  { migration, direction }: Pick<Intent, 'migration' | 'direction'>,
): string {
  const { applied, retry } = resolutionCommands(place);
  const [done, undo] =
    direction === 'up'
      ? ['is there', 'undo its partial work']
      : ['is gone', 'restore what it partly removed'];
  return `Check whether the work of ${migration} ${done} in ${place.schema}. If so: ${applied}. If not, ${undo}, then: ${retry}.`;
}

export function remediesOf(indexes: readonly InvalidIndex[]): string {
  return indexes.map(({ remedy }) => remedy).join(' ');
}
