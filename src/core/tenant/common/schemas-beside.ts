import { createHash } from 'node:crypto';
import { toDatabaseError } from '../../../db/database-error.ts';
import { literal } from '../../../db/sql.ts';
import { messageOf } from '../../../errors.ts';
import { tryUnderLock } from '../../commands/try-under-lock.ts';
import type { Observer } from '../../report/event.ts';
import { backoffMs, mayPass, pause } from '../../run/retry.ts';
import type { RunContext } from '../../run/run-context.ts';
import type { Attempt } from '../../serve/work.ts';
import { AT_WORK } from '../../state/run-at-work.ts';
import { tenantId } from '../../state/tenant-ids.ts';
import { endVerb } from '../../state/verb-intents.ts';
import { readOutsideTies } from './outside-ties.ts';
import { removeTraces } from './traces.ts';

interface Dropping {
  readonly context: RunContext;
  readonly observe: Observer;
}

/** The names of the schemas beside the tenant's own: the one that is built, and the one that was replaced. */
export function namesBeside(schema: string): { readonly built: string; readonly replaced: string } {
  const hash = createHash('sha256').update(schema, 'utf8').digest('hex').slice(0, 16);
  return { built: `tenantctl_new_${hash}`, replaced: `tenantctl_old_${hash}` };
}

/** A statement: tenantctl no longer knows the schema. */
export function forgetBeside(schema: string): string {
  return `UPDATE tenantctl.tenants SET gone_at = now() WHERE schema_name = ${literal(schema)} AND gone_at IS NULL`;
}

/**
 * Drops what restorations with --replace that were killed have left of these tenants. One query if there is nothing.
 * @returns the schemas that could not be dropped
 */
export async function dropLeftReplacements(
  work: Dropping,
  tenants: readonly { readonly schema: string }[],
): Promise<string[]> {
  const names = tenants.flatMap(({ schema }) => Object.values(namesBeside(schema)));
  const { rows } = await work.context.database.query<{ schema: string }>(
    `SELECT k.schema_name AS schema FROM tenantctl.tenants k
     WHERE k.gone_at IS NULL AND k.schema_name = ANY ($1) AND NOT EXISTS (
       SELECT FROM tenantctl.verb_intents i JOIN tenantctl.runs r ON r.id = i.run WHERE i.tenant = k.id AND ${AT_WORK})`,
    [names],
  );
  const left: string[] = [];
  for (const { schema } of rows) if (!(await dropBeside(work, schema, 'restore'))) left.push(schema);
  return left;
}

/** Whose schemas they are, and what drops them if nothing else has. */
const LEFT = {
  restore: ['which was replaced', 'restore with --replace'],
  drift: ['in which a reference was built', 'drift'],
} as const;

/**
 * Drops such a schema, if it is there: foreign keys to shared tables first, one by one. Warns if it cannot.
 * @returns whether nothing is left of it
 */
export async function dropBeside(
  { context, observe }: Dropping,
  schema: string,
  verb: keyof typeof LEFT,
): Promise<boolean> {
  for (let tries = 1; ;) {
    const attempt = await dropPart(context, schema, verb);
    if (attempt.kind === 'failed' && tries <= context.retries && mayPass(attempt.error)) {
      await pause(backoffMs(tries, Math.random), undefined);
      tries += 1;
    } else if (attempt.kind === 'failed') {
      const [whose, next] = LEFT[verb];
      const message = `The schema ${schema}, ${whose}, could not be dropped: ${messageOf(attempt.error)} The next ${next} drops it.`;
      observe({ type: 'warning', message });
      return false;
    } else if (attempt.kind !== 'done' || !attempt.done) return attempt.kind === 'done';
  }
}

/** @returns whether more is left */
function dropPart(context: RunContext, schema: string, verb: keyof typeof LEFT): Promise<Attempt<boolean>> {
  return tryUnderLock<boolean>(
    context,
    schema,
    async (transaction) => {
      const { client } = transaction;
      const { rows } = await client.query<{ id: string | null }>(`SELECT ${tenantId(schema)} AS id`);
      if ((rows[0]?.id ?? null) === null) {
        transaction.abandon();
        return { kind: 'done', done: false };
      }
      const [tie] = (await readOutsideTies(client, schema)).ties;
      await transaction.commitWith(
        tie === undefined
          ? [...removeTraces(context.database.names, { schema }), endVerb(schema), forgetBeside(schema)]
          : [tie.remove],
      );
      return { kind: 'done', done: tie !== undefined };
    },
    toDatabaseError,
    verb,
  );
}
