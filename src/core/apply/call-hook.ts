import type { PoolClient } from 'pg';
import type { Migration } from '../files/load.ts';
import { watchSchema } from '../guard/guard.ts';
import type { RunContext } from '../run/run-context.ts';
import { giveControl, selectTrusted } from '../target/control.ts';
import { restoreSettings } from '../target/settings.ts';
import type { Target } from '../target/target.ts';
import { runAction } from './action.ts';
import { moveExtensions } from './extensions.ts';
import { LOCK_ONLY } from './under-lock.ts';

/**
 * Calls a hook in a tenant's open transaction that runs no migrations. Role, search_path and settings are afterwards as
 * they were before.
 * @throws TenantctlError HOOK_FAILED, MIGRATION_OUTSIDE_SCHEMA
 */
export async function callHook(
  context: RunContext,
  client: PoolClient,
  target: Target,
  hook: Migration,
): Promise<void> {
  await client.query(`SAVEPOINT ${LOCK_ONLY}`);
  const assertWithin = await watchSchema(context, client, target, LOCK_ONLY, 'up');
  await client.query([...selectTrusted(target), ...giveControl(target)].join(';\n'));
  const texts: string[] = [];
  const finish = await runAction(client, context, hook, {
    target,
    direction: 'up',
    onStatement: ({ text }) => texts.push(text),
  });
  finish();
  const observed = await assertWithin(hook);
  if (observed.hasExtension) await moveExtensions(context, client, target);
  const restored = restoreSettings(texts, context.database, context);
  await client.query(
    [`RELEASE SAVEPOINT ${LOCK_ONLY}`, 'SET LOCAL search_path TO DEFAULT', ...restored].join(';\n'),
  );
}
