import { createAnswer, type Answer, type AnswerPart } from '../answer.ts';
import { asSent } from '../pg-internals.ts';
import { literal } from '../sql.ts';
import type { SentStatement } from './statement.ts';

/** One text that a migration sends. JSON. */
export interface Piece {
  readonly text: string;
  /** The name of what was read of its answer (see Answer); absent if nothing was. */
  readonly answer?: string;
}

/** A statement that was sent, while it is recorded. */
export interface RecordedStatement {
  /** Takes what the server answers. */
  readonly answer: Answer;
  /** Notes that a part of the answer was read: what follows may depend on it. */
  read(part: AnswerPart): void;
}

/**
 * What a migration sends to one tenant, and what it reads. Another tenant that gives the same answers is sent the
 * same, unless `dependence` says otherwise. See docs/decisions/0034-recordings.md.
 */
export interface Recording {
  readonly pieces: readonly Piece[];
  /** Why other tenants may be sent something else, whatever they answer. */
  readonly dependence: string | undefined;
  sent(statement: SentStatement): RecordedStatement;
  /** Notes a reason. The first one is kept. */
  depends(reason: string): void;
  /** What is sent was decided by more than answers: two tenants have to show it. */
  readonly isDoubtful: boolean;
  doubt(): void;
}

/** Settings that change how later statements are parsed: within one string they take effect too late. */
const CHANGES_READING = /standard_conforming_strings|backslash_quote|client_encoding|\bset\s[^;]*\bnames\b/i;

/** Statements that set such a setting to what it is anyway, as at the head of what pg_dump writes. */
const SO_ANYWAY =
  /(?=set\s)(?<=(?:^|;)\s*)set\s+(?:(?:local|session)\s+)?(?:client_encoding\s*(?:=|to\s)\s*'utf-?8'|standard_conforming_strings\s*(?:=|to\s)\s*on)\s*(?=;|$)/gi;

/** What PREPARE accepts (https://www.postgresql.org/docs/current/sql-prepare.html). */
const IS_PREPARABLE =
  /^(?:\s|--[^\n]*\n|\/\*[^]*?\*\/|\()*(?:select|insert|update|delete|merge|with|values|table)\b/i;

/** Knex numbers its savepoints for the whole process. */
const SAVEPOINT_OF_KNEX = /^((?:ROLLBACK TO |RELEASE )?SAVEPOINT )(trx\d+);?$/;

const BOUND = 'tenantctl_bound';

interface Entry {
  readonly texts: readonly string[];
  /** Which of the texts has the answer. */
  readonly answered: number;
  readonly answer: Answer;
  part?: AnswerPart;
}

/** @param known why other tenants may be sent something else, if that is known before: then answers are left as they are */
export function createRecording(known?: string): Recording {
  const entries: Entry[] = [];
  const savepoints = new Map<string, string>();
  let dependence = known;
  let isDoubtful = false;
  const depends = (reason: string) => void (dependence ??= reason);
  const renamed = (text: string) =>
    text.replace(SAVEPOINT_OF_KNEX, (_whole, deed: string, name: string) => {
      const own = savepoints.get(name) ?? `trx${savepoints.size + 1}`;
      savepoints.set(name, own);
      return deed + own;
    });
  const textsOf = ({ text, values }: SentStatement): string[] => {
    if (values.length === 0) return [renamed(text)];
    if (!IS_PREPARABLE.test(text)) depends('it binds values to a statement that cannot be prepared');
    return withValues(text, values, depends);
  };
  return {
    get pieces() {
      return entries.flatMap(({ texts, answered, answer, part }) =>
        texts.map((text, at) =>
          at === answered && part !== undefined ? { text, answer: answer.nameOf(part) } : { text },
        ),
      );
    },
    get dependence() {
      return dependence;
    },
    sent(statement) {
      if (CHANGES_READING.test(statement.text.replaceAll(SO_ANYWAY, '')))
        depends('it changes how SQL is read');
      const texts = textsOf(statement);
      const entry: Entry = { texts, answered: texts.length === 1 ? 0 : 1, answer: createAnswer() };
      entries.push(entry);
      return {
        answer: entry.answer,
        read: (part) => void (entry.part = entry.part === 'rows' ? 'rows' : part),
      };
    },
    depends,
    get isDoubtful() {
      return isDoubtful;
    },
    doubt: () => void (isDoubtful = true),
  };
}

/**
 * A statement with bound values as texts without: the server infers the types of the parameters of PREPARE as it does
 * for the driver, and converts the values of EXECUTE to them. Literals in the text itself could mean something else:
 * a number bound to an interval HOUR is seconds, as a literal it is hours; ORDER BY '1' is an error.
 */
function withValues(text: string, values: readonly unknown[], depends: (reason: string) => void): string[] {
  const literals = values.map((value) => {
    const sent = asSent(value);
    if (sent === null) return 'NULL';
    if (typeof sent === 'string') return literal(sent);
    // What bytes mean depends on the type of the parameter.
    depends('it binds bytes');
    return 'NULL';
  });
  return [`PREPARE ${BOUND} AS ${text}`, `EXECUTE ${BOUND} (${literals.join(', ')})`, `DEALLOCATE ${BOUND}`];
}
