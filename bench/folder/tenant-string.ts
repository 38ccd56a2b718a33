import { psqlString } from '../wire/psql-string.ts';
import type { RecordedStep } from './recorded-statements.ts';

/**
 * How psql sends what was recorded. `one`: everything as one string in one transaction, broken only where a
 * statement was sent outside of any. `as recorded`: a transaction for each of Knex's.
 */
export type Transactions = 'one' | 'as recorded';

/** The script for one tenant, with the recorded tenant's schema in it. */
export async function tenantScript(
  steps: readonly RecordedStep[],
  schema: string,
  transactions: Transactions,
): Promise<string> {
  const strings = [`SET search_path TO "${schema}", public`];
  for (const { inTransaction, statements } of transactions === 'one' ? joined(steps) : steps) {
    const body = statements.map((each) => each.trim().replace(/;+$/, '')).join('\n;\n');
    if (inTransaction) strings.push(`BEGIN;\n${body}\n;\nCOMMIT`);
    else strings.push(...statements);
  }
  return (await Promise.all(strings.map(psqlString))).join('\n');
}

function joined(steps: readonly RecordedStep[]): RecordedStep[] {
  const all: RecordedStep[] = [];
  for (const step of steps) {
    const last = all.at(-1);
    if (last?.inTransaction === true && step.inTransaction)
      all[all.length - 1] = { inTransaction: true, statements: [...last.statements, ...step.statements] };
    else all.push(step);
  }
  return all;
}

/** A script for psql, with the name of the recorded tenant's schema in it. */
export interface Script {
  readonly text: string;
  readonly schema: string;
}

/** @returns a script for each psql, with every tenant in one of them */
export function scriptsFor({ text, schema }: Script, schemas: readonly string[], psqls: number): string[] {
  const own = schemas.map((each) => text.replaceAll(schema, each));
  return Array.from({ length: psqls }, (_, index) => own.filter((_, at) => at % psqls === index).join('\n'));
}
