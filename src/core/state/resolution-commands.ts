import type { InvalidIndex } from '../../errors.ts';
import { shellWord } from '../../wording.ts';
import type { Intent } from './intents.ts';

/** Whose interrupted migration it is; the master schema has no organization id. */
interface Place {
  readonly clerkOrgId?: string | undefined;
  readonly schema: string;
}

/** The name under which `tenantctl resolve` takes the master schema. */
export const MASTER_NAME = 'master';

/** The two answers to whether the work of an interrupted migration was done, as commands. */
export interface ResolutionCommands {
  readonly applied: string;
  readonly retry: string;
}

/** The commands that resolve what was interrupted in a schema, ready for a shell. Pure. */
export function resolutionCommands({ clerkOrgId, schema }: Place): ResolutionCommands {
  // An organization id that a command would take for something else gives way to the schema's name.
  const isMistakable = clerkOrgId === MASTER_NAME || clerkOrgId?.startsWith('-') === true;
  const ownName = schema === 'public' ? MASTER_NAME : schema;
  const name = clerkOrgId === undefined || isMistakable ? ownName : clerkOrgId;
  const command = `tenantctl resolve ${shellWord(name)}`;
  return { applied: `${command} --applied`, retry: `${command} --retry` };
}

/**
 * What to do about a migration outside a transaction whose end is not known. Only a look at the schema tells whether
 * its work was done; the commands are for both answers. Pure.
 */
export function resolutionHint(
  place: Place,
  { migration, direction }: Pick<Intent, 'migration' | 'direction'>,
): string {
  const { applied, retry } = resolutionCommands(place);
  const [done, undo] =
    direction === 'up'
      ? ['is there', 'undo what is half done']
      : ['is gone', 'bring back what is half undone'];
  return `Look whether the work of ${migration} ${done} in ${place.schema}. If so: ${applied}. If not, ${undo}, then: ${retry}.`;
}

/** The statements that remove INVALID indexes, one behind the other. Pure. */
export function remediesOf(indexes: readonly InvalidIndex[]): string {
  return indexes.map(({ remedy }) => remedy).join(' ');
}
