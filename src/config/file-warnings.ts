import { distanceOf } from '../similar.ts';
import { SYNONYMS } from './foreign-names.ts';
import type { Problem, Variables } from './settings.ts';
import { VARIABLES } from './variables.ts';

/** Misspelt variables of an .env file, and values that end at a "#". The environment at large is not looked at. */
export function fileWarnings(text: string, variables: Variables): Problem[] {
  const misspelt = Object.keys(variables).flatMap((variable) => {
    const known = knownAs(variable, variables);
    const remedy = `Rename or remove ${variable} in the env file.`;
    return known === undefined ? [] : { variable, message: `is unknown and ignored; ${known}`, remedy };
  });
  // https://github.com/motdotla/dotenv#comments: without quotes, a "#" begins a comment.
  const cut = text.matchAll(/^[ \t]*(?:export[ \t]+)?(\w+)[ \t]*=[ \t]*(?!["'`])[^\s#]*#\S/gm);
  const ended = [...cut].flatMap(([, variable = '']) =>
    VARIABLES.includes(variable)
      ? {
          variable,
          message: 'ends at a "#" in the env file: what follows is a comment unless the value is in quotes',
          remedy: `Write the value of ${variable} in single quotes.`,
        }
      : [],
  );
  return [...misspelt, ...ended];
}

/** What the variable is called instead; undefined if it may belong to another program. */
function knownAs(name: string, variables: Variables): string | undefined {
  if (VARIABLES.includes(name)) return undefined;
  const plain = name.toUpperCase().replace(/^TENANTCTL_/, '');
  const synonym = SYNONYMS[plain];
  const meant = VARIABLES.includes(plain) ? plain : VARIABLES.find((each) => isMisspelt(plain, each));
  if (meant !== undefined) return `the variable is called ${meant}`;
  const isTold = ['DATABASE_URL', 'DB_EMBEDDED', synonym ?? ''].some((each) => variables[each] !== undefined);
  if (synonym !== undefined && !isTold) return `the variable is called ${synonym}`;
  const family = ['TENANTCTL_', 'DB_SSL'].find((prefix) => name.startsWith(prefix));
  if (family === undefined) return undefined;
  return `the variables are ${VARIABLES.filter((each) => each.startsWith(family)).join(', ')}`;
}

/** One mistake in a short name, two in a long one. DB_HOST_2 is not a misspelt DB_HOST. */
function isMisspelt(name: string, known: string): boolean {
  return !/\d$/.test(name) && distanceOf(name, known) <= (known.length < 8 ? 1 : 2);
}
