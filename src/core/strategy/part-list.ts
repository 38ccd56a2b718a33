import type { Database } from '../../db/database.ts';
import type { Piece } from '../../db/knex/recording.ts';
import type { Migration } from '../files/load.ts';
import { fromFirstWord } from '../files/parse-sql.ts';
import { borderName } from '../guard/border.ts';
import type { Sent } from '../guard/limits.ts';

/** What is sent to a tenant before the client looks at an answer or runs a migration with Knex. */
export type Part =
  | {
      readonly kind: 'string';
      readonly text: string;
      /** The migration whose statement must be answered like this before anything else is sent. */
      readonly asks?: { readonly name: string; readonly answer: string };
    }
  | {
      readonly kind: 'run';
      /** A migration of the plan, by name, or a hook. */
      readonly what: string | Migration;
      /** @param texts what it has sent @returns what is sent after it, by itself: it may change how SQL is read */
      readonly after: (texts: readonly string[]) => string;
    }
  | {
      readonly kind: 'end';
      /** @param sent by all migrations that Knex has run */
      readonly textAfter: (sent: Sent) => string;
    };

/** The first word of what a server that does not accept any statement in a string takes by itself. */
const DEFINES = /^(?:alter|create|drop|comment|grant|revoke|reindex|truncate)\b/i;

/**
 * Collects statements, and joins those that are sent together. `addPiece` adds what a migration sends: by itself if the
 * answer is looked at, or the server needs it so.
 */
export function createPartList({ acceptsAnyInStrings }: Pick<Database, 'acceptsAnyInStrings'>) {
  const parts: Part[] = [];
  let statements: string[] = [];
  const add = (...more: readonly string[]) => void statements.push(...more);
  const cut = () => {
    if (statements.length > 0) parts.push({ kind: 'string', text: asOneString(statements) });
    statements = [];
  };
  const addPiece = ({ text, answer }: Piece, name: string) => {
    const isAlone = !acceptsAnyInStrings && DEFINES.test(fromFirstWord(text));
    if (answer === undefined && !isAlone) return add(text);
    cut();
    parts.push({ kind: 'string', text, ...(answer !== undefined && { asks: { name, answer } }) });
  };
  const run = (what: string | Migration, after: (texts: readonly string[]) => readonly string[]) => {
    // RELEASE fails if the migration has ended the transaction, or gone back to before.
    const border = borderName();
    add(`SAVEPOINT ${border}`);
    cut();
    const release = `RELEASE SAVEPOINT ${border}`;
    parts.push({ kind: 'run', what, after: (texts) => asOneString([release, ...after(texts)]) });
  };
  const end = (compose: (sent: Sent) => readonly string[]) => {
    const before = statements;
    const textAfter = (sent: Sent) => asOneString([...before, ...compose(sent)]);
    const hasRun = parts.some(({ kind }) => kind === 'run');
    const text = () => textAfter({ texts: [], readings: [] });
    parts.push(hasRun ? { kind: 'end', textAfter } : { kind: 'string', text: text() });
  };
  return { parts, add, addPiece, run, end };
}

/** Joins statements with newlines: a text may end in a comment. */
export function asOneString(statements: readonly string[]): string {
  return statements.join('\n;\n');
}
